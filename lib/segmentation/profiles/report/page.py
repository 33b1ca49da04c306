"""One self-contained page of HTML from the data of a report: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from datetime import date, datetime
from importlib.resources import files
from math import floor
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from segmentation.clustering.algorithms import NAMES
from segmentation.clustering.comparison import METHODS
from segmentation.profiles.report.cards import show_card
from segmentation.profiles.report.charts import candidates_chart, months_chart
from segmentation.profiles.report.comparisons import compare_traits, show_attributes, show_borders, show_lifecycle
from segmentation.profiles.report.data import Profile, ReportData
from segmentation.profiles.report.decisions import show_decisions
from segmentation.profiles.report.evidence import (
    accepted,
    show_check,
    show_flows,
    show_identity,
    show_movement,
    show_quality,
)
from segmentation.profiles.report.grid import show_grid
from segmentation.profiles.report.journeys import show_journeys
from segmentation.profiles.report.words import STATUSES, capital, money
from segmentation.profiles.wording import compact, number, per_cent

ALGORITHMS = {**{str(algorithm): name for algorithm, name in NAMES.items()}, **METHODS}


def build_report(data: ReportData) -> str:
    """The page. Every text that comes from data or configuration is escaped."""
    here = files("segmentation.profiles.report")
    names = ("page.html", "sections.html")
    environment = Environment(
        loader=DictLoader({name: (here / name).read_text(encoding="utf-8") for name in names}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": lambda value: f"{value:,}",
        "number": number,
        "compact": compact,
        "share": per_cent,
        "percent": _floor_per_cent,
        "method": _method,
        "day": _day,
        "moment": _moment,
        "money": lambda value: money(value, data.activity.currency),
    }
    page = environment.get_template("page.html").render(
        **_context(data), data=data, style=Markup((here / "page.css").read_text(encoding="utf-8"))
    )
    return page.strip() + "\n"


def _context(data: ReportData) -> dict[str, Any]:
    segments = [show_card(profile, position, data) for position, profile in enumerate(_ordered(data.segments))]
    return {
        "people": sum(profile.size for profile in data.segments),
        "named": [s for s in segments if not s["is_fallback"]],
        "segments": segments,
        "has_revenue": any(profile.revenue for profile in data.segments),
        "heat": compare_traits(data, segments),
        "borders": show_borders(data.borders, segments) if data.borders else None,
        "decisions": show_decisions(data.decisions, segments) if data.decisions else None,
        "months": months_chart(data.activity) if len(data.activity.months) > 1 else None,
        "candidates": candidates_chart(data.choice) if data.choice else None,
        "identity": show_identity(data.identity) if data.identity else None,
        "quality": [show_quality(source) for source in data.quality],
        "movement": show_movement(data),
        "flows": show_flows(data.change, segments) if data.change else None,
        "checks": [show_check(check) for check in data.checks],
        "accepted": accepted(data.provenance),
        "lifecycle": show_lifecycle(data, data.lifecycle, segments) if data.lifecycle else None,
        "attributes": show_attributes(data.attributes, segments),
        "rfm": show_grid(data.rfm, segments) if data.rfm else None,
        "rfm_engagement": show_grid(data.rfm_engagement, segments) if data.rfm_engagement else None,
        "journeys": show_journeys(data.journeys, segments) if data.journeys else None,
        "status": STATUSES.get(data.provenance.status, data.provenance.status),
        "stages": data.provenance.stages,
    }


def _ordered(segments: Any) -> list[Profile]:
    """Largest first; the fallback last."""
    return sorted(segments, key=lambda profile: (profile.is_fallback, -profile.size, profile.segment_id))


def _floor_per_cent(share: float) -> str:
    """With one decimal, rounded down: what is not all must not look like all."""
    return f"{floor(share * 1000 + 1e-9) / 10:.1f} %"


def _method(algorithm: str) -> str:
    name = ALGORITHMS.get(algorithm, algorithm.replace("_", " "))
    return capital(name)


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def _moment(value: datetime | None) -> str:
    return "" if value is None else f"{_day(value)}, {value:%H:%M} UTC"
