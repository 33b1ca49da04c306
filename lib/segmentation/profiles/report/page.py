"""One self-contained page of HTML from the data of a report: no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from importlib.resources import files
from math import floor
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from segmentation.clustering.algorithms import NAMES
from segmentation.clustering.comparison import METHODS
from segmentation.config.rfm import RFM_GRID
from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.continuity import tell_continuity
from segmentation.profiles.differences import (
    Association,
    Difference,
    measure_association,
    measure_associations,
    measure_differences,
)
from segmentation.profiles.flows import HUES, describe_change, flows_chart
from segmentation.profiles.naming import NOTABLE, traits
from segmentation.profiles.report.charts import candidates_chart, months_chart
from segmentation.profiles.report.data import (
    STAGES,
    Attribute,
    Border,
    Identity,
    Lifecycle,
    Profile,
    Provenance,
    ReportData,
    RfmCell,
    SourceQuality,
    TypicalPerson,
)
from segmentation.profiles.report.decisions import show_decisions
from segmentation.profiles.report.journeys import show_journeys
from segmentation.profiles.report.words import CAUSES, CHECKS, QUARANTINE_REASONS, STATUSES, in_words
from segmentation.profiles.statistics import FeatureStatistics, SegmentStatistics
from segmentation.profiles.wording import (
    compact,
    listed,
    number,
    per_cent,
    quantity,
    times,
    typical,
    typical_of_everyone,
)
from segmentation.segments.comparison import Change
from segmentation.segments.gates import Check, accepted_checks

ALGORITHMS = {**{str(algorithm): name for algorithm, name in NAMES.items()}, **METHODS}

TRAITS = 5
"""Features on a card."""

REASONS = 5
"""Reasons for cut links that are told one by one."""

_BY_CHANCE = 0.05
"""Probability from which on segments are not said to differ."""

_PART_SHADES = (0.1, 0.25, 0.5, 0.75)
"""Shares of a segment in a stage, or beside another segment, from which a cell is one shade stronger."""

_FULL_BAR = 2.0
"""Effect size at which a bar is full."""

_NAMES = {cell: name for name, cells in RFM_GRID.items() for cell in cells}

_RFM_STEPS = (0.005, 0.03, 0.06, 0.1)
"""Shares of people from which a cell of the grid is one shade stronger; of 25 alike each would have 0.04."""

_STEPS = (0.15, 0.4, 0.8, 1.3)
"""Effect sizes from which a cell of the heat map is one shade stronger."""


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
        "money": lambda value: _money(value, data.activity.currency),
    }
    page = environment.get_template("page.html").render(
        **_context(data), data=data, style=Markup((here / "page.css").read_text(encoding="utf-8"))
    )
    return page.strip() + "\n"


def _context(data: ReportData) -> dict[str, Any]:
    segments = [_segment(profile, position, data) for position, profile in enumerate(_ordered(data.segments))]
    return {
        "people": sum(profile.size for profile in data.segments),
        "named": [s for s in segments if not s["is_fallback"]],
        "segments": segments,
        "has_revenue": any(profile.revenue for profile in data.segments),
        "heat": _heat_map(data, segments),
        "borders": _borders(data.borders, segments) if data.borders else None,
        "decisions": show_decisions(data.decisions, segments) if data.decisions else None,
        "months": months_chart(data.activity) if len(data.activity.months) > 1 else None,
        "candidates": candidates_chart(data.choice) if data.choice else None,
        "identity": _identity(data.identity) if data.identity else None,
        "quality": [_quality(source) for source in data.quality],
        "movement": _movement(data),
        "flows": _flows(data.change, segments) if data.change else None,
        "checks": [_check(check) for check in data.checks],
        "accepted": _accepted(data.provenance),
        "lifecycle": _lifecycle(data, data.lifecycle, segments) if data.lifecycle else None,
        "attributes": _attributes(data.attributes, segments),
        "rfm": _rfm(data, segments),
        "journeys": show_journeys(data.journeys, segments) if data.journeys else None,
        "status": STATUSES.get(data.provenance.status, data.provenance.status),
        "stages": data.provenance.stages,
    }


def _ordered(segments: Any) -> list[Profile]:
    """Largest first; the fallback last."""
    return sorted(segments, key=lambda profile: (profile.is_fallback, -profile.size, profile.segment_id))


def _segment(profile: Profile, position: int, data: ReportData) -> dict[str, Any]:
    infos = {info.name: info for info in data.features}
    statistics = SegmentStatistics(profile.segment_id, profile.size, profile.share, profile.statistics)
    found = [trait for trait in traits(statistics, infos) if abs(trait.effect) >= NOTABLE / 2][:TRAITS]
    return {
        "profile": profile,
        "anchor": f"segment-{position + 1}",
        "hue": "fallback" if profile.is_fallback else f"c{position % HUES}",
        "is_fallback": profile.is_fallback,
        "revenue_each": profile.revenue / profile.size if profile.revenue is not None and profile.size else None,
        "bars": [_bar(infos[t.feature], profile.statistics[t.feature], data.activity.currency) for t in found],
        "typical": [
            _typical(person, [infos[trait.feature] for trait in found], data.activity.currency)
            for person in data.typical
            if found and person.segment == profile.segment_id
        ],
        "figures": [
            _figure(info, profile.statistics[info.name], data.activity.currency)
            for info in data.features
            if info.name in profile.statistics
        ],
    }


def _bar(info: FeatureInfo, figures: FeatureStatistics, currency: str | None) -> dict[str, Any]:
    """A feature as a bar to the left (less than everyone) or right of the middle; half a track is `_FULL_BAR`."""
    effect = figures.effect_size
    length = min(abs(effect), _FULL_BAR) / _FULL_BAR * 50
    return {
        **_figure(info, figures, currency),
        "length": round(length, 1),
        "start": round(50 - length if effect < 0 else 50, 1),
        "side": "less" if effect < 0 else "more",
        "beyond": abs(effect) > _FULL_BAR,
    }


def _typical(person: TypicalPerson, traits: list[FeatureInfo], currency: str | None) -> dict[str, Any]:
    """Somebody of a segment, in the traits of its card."""
    return {
        "id": person.person_id,
        "traits": [(_capital(info.label), _value(person.values.get(info.name), info, currency)) for info in traits],
    }


def _figure(info: FeatureInfo, figures: FeatureStatistics, currency: str | None) -> dict[str, Any]:
    return {
        "label": _capital(info.label),
        "description": info.description,
        "value": _value(typical(figures, info.unit), info, currency),
        "everyone": _value(typical_of_everyone(figures, info.unit), info, currency),
        "how_far": _how_far(figures),
        "shade": _shade(figures.effect_size),
    }


def _value(value: float | None, info: FeatureInfo, currency: str | None) -> str:
    if value is None:
        return "not known"
    return _money(value, currency) if info.unit == "money" else quantity(value, info.unit)


def _how_far(figures: FeatureStatistics) -> str:
    """`much more than everyone (3.1 × the average)`."""
    strength = abs(figures.effect_size)
    if strength < _STEPS[0]:
        return "about as everyone"
    degree = "a little" if strength < _STEPS[1] else "clearly" if strength < _STEPS[2] else "much"
    side = "less" if figures.effect_size < 0 else "more"
    ratio = figures.times
    told = f" ({times(ratio)})" if ratio is not None and not 0.95 <= ratio <= 1.05 else ""
    return f"{degree} {side} than everyone{told}"


def _shade(effect: float) -> int:
    strength = sum(abs(effect) >= step for step in _STEPS)
    return -strength if effect < 0 else strength


def _heat_map(data: ReportData, segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a feature, features of a family together in the order of the families' first."""
    families = list(dict.fromkeys(info.family for info in data.features))
    differences = measure_differences([s["profile"].statistics for s in segments if not s["is_fallback"]])
    rows = []
    for info in sorted(data.features, key=lambda info: families.index(info.family)):
        cells = [
            _figure(info, segment["profile"].statistics[info.name], data.activity.currency)
            if info.name in segment["profile"].statistics
            else None
            for segment in segments
        ]
        known = next((cell for cell in cells if cell), None)
        if known:
            rows.append(
                {
                    "label": _capital(info.label),
                    "description": info.description,
                    "cells": cells,
                    "everyone": known["everyone"],
                    "difference": _difference(differences.get(info.name)),
                }
            )
    return rows


def _difference(found: Difference | None) -> dict[str, str]:
    if found is None:
        return {"told": "–", "test": "known in one segment only"}
    told = per_cent(found.explained) if found.p_value < _BY_CHANCE else "by chance"
    return {"told": told, "test": _test(found.p_value)}


def _borders(borders: Sequence[Border], segments: list[dict[str, Any]]) -> dict[str, Any]:
    """One row a segment: to how many of its people each other is next nearest, and how many are on the border."""
    near = {(border.segment, border.nearest): border for border in borders}
    columns = [s for s in segments if any(s["profile"].segment_id in pair for pair in near)]
    rows = []
    for segment in columns:
        own = [border for border in borders if border.segment == segment["profile"].segment_id]
        if own:
            people, unsure = sum(border.people for border in own), sum(border.ambiguous for border in own)
            beside = [near.get((segment["profile"].segment_id, s["profile"].segment_id)) for s in columns]
            cells = [_border_cell(border, people) if border else None for border in beside]
            rows.append({"segment": segment, "cells": cells, "unsure": unsure / people})
    everyone = sum(border.ambiguous for border in borders) / sum(border.people for border in borders)
    return {"columns": columns, "rows": rows, "unsure": everyone}


def _border_cell(border: Border, people: int) -> dict[str, Any]:
    share = border.people / people
    return {"share": share, "shade": sum(share >= step for step in _PART_SHADES), "unsure": border.ambiguous}


def _lifecycle(data: ReportData, found: Lifecycle, segments: list[dict[str, Any]]) -> dict[str, Any]:
    """One row a segment: how many of it are in each stage; everyone in the last."""
    shown = [segment for segment in segments if segment["profile"].segment_id in found.people]
    counts = [[found.people[s["profile"].segment_id].get(stage, 0) for stage in STAGES] for s in shown]
    everyone = [sum(column) for column in zip(*counts, strict=True)]
    known = [count for segment, count in zip(shown, counts, strict=True) if not segment["is_fallback"]]
    return {
        "recency": next((info.label for info in data.features if info.name == "recency"), "recency"),
        "stages": [_capital(stage) for stage in STAGES],
        "rows": [{"segment": s, "cells": _stage_cells(c)} for s, c in zip(shown, counts, strict=True)],
        "everyone": _stage_cells(everyone),
        "association": _association(measure_association(known)),
    }


def _stage_cells(counts: list[int]) -> list[dict[str, Any]]:
    people = sum(counts)
    return [{"share": count / people, "shade": sum(count / people >= s for s in _PART_SHADES)} for count in counts]


def _attributes(attributes: Sequence[Attribute], segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row an attribute of which it can be said how far it goes with the segments; the strongest first."""
    ids = [segment["profile"].segment_id for segment in segments if not segment["is_fallback"]]
    counts = {one.name: [one.people[segment] for segment in ids if segment in one.people] for one in attributes}
    found = measure_associations(counts)
    return [
        {
            "name": _capital(name.replace("_", " ")),
            "people": sum(map(sum, counts[name])),
            "strength": one.strength,
            "told": "could be chance" if one.p_value >= _BY_CHANCE else "go together",
            "test": _test(one.p_value),
        }
        for name, one in sorted(found.items(), key=lambda item: -item[1].strength)
    ]


def _association(found: Association | None) -> str | None:
    if found is None:
        return None
    if found.p_value >= _BY_CHANCE:
        return f"How segments and stages go together could be chance ({_test(found.p_value)})"
    return f"Segments and stages go together (Cramér’s V {found.strength:.2f} of 1; {_test(found.p_value)})"


def _test(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _rfm(data: ReportData, segments: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The grid, the most recent at the top and the most frequent on the right, and a row for each name in it."""
    if data.rfm is None:
        return None
    cells = {(cell.recency, cell.frequency): cell for cell in data.rfm.cells}
    people, money = sum(cell.people for cell in data.rfm.cells), sum(cell.money for cell in data.rfm.cells)
    hues = {segment["profile"].segment_id: segment for segment in segments}
    scores = range(1, 6)
    return {
        "people": people,
        "columns": [_range([c.times for c in data.rfm.cells if c.frequency == score]) for score in scores],
        "rows": [
            {
                "days": _range([c.days for c in data.rfm.cells if c.recency == score]),
                "cells": [
                    _rfm_cell(_NAMES[f"{score}{frequency}"], cells.get((score, frequency)), people)
                    for frequency in scores
                ],
            }
            for score in reversed(scores)
        ],
        "names": [
            {
                "name": name,
                "people": sum(cell.people for cell in mine),
                "share": sum(cell.people for cell in mine) / people,
                "money": sum(cell.money for cell in mine) / money if money else None,
                "mostly": _mostly(data.rfm.segments.get(name, {}), hues),
            }
            for name in RFM_GRID
            if (mine := [cell for cell in data.rfm.cells if cell.name == name])
        ],
    }


def _rfm_cell(name: str, cell: RfmCell | None, people: int) -> dict[str, Any]:
    share = cell.people / people if cell else 0.0
    return {"name": name, "people": cell.people if cell else 0, "shade": sum(share >= step for step in _RFM_STEPS)}


def _range(ranges: list[tuple[float, float]]) -> str:
    if not ranges:
        return "–"
    low, high = number(min(low for low, _ in ranges)), number(max(high for _, high in ranges))
    return low if low == high else f"{low} to {high}"


def _mostly(segments: Mapping[str | None, int], shown: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The segment in which most of them are, and which share of them."""
    known = {segment_id: people for segment_id, people in segments.items() if segment_id in shown}
    if not known:
        return None
    segment_id, people = max(known.items(), key=lambda item: (item[1], str(item[0])))
    return {"segment": shown[str(segment_id)], "share": people / sum(segments.values())}


def _identity(identity: Identity) -> dict[str, Any]:
    most = max(identity.people_by_identifiers.values(), default=1)
    last = max(identity.people_by_identifiers, default=1)
    cut = Counter[str]()
    for link in identity.links:
        if link.status != "active":
            cut[link.reason or link.status] += link.pairs
    told = cut.most_common(REASONS)
    return {
        "people": identity.people,
        "identifiers": sum(identity.identifiers.values()),
        "types": listed([f"{n:,} {kind.replace('_', ' ')}" for kind, n in identity.identifiers.items()]),
        "held": [
            {
                "label": f"{count} or more" if count == last and last > 1 else f"{count}",
                "people": people,
                "part": round(people / most, 4),
            }
            for count, people in sorted(identity.people_by_identifiers.items())
        ],
        "active": sum(link.pairs for link in identity.links if link.status == "active"),
        "cut": cut.total(),
        "reasons": told,
        "further": cut.total() - sum(pairs for _, pairs in told),
        "score": identity.score,
    }


def _quality(source: SourceQuality) -> dict[str, Any]:
    return {
        "source": source,
        "parts": [
            (name, value, round(100 * value / source.read, 2) if source.read else 0.0)
            for name, value in (
                ("accepted", source.accepted),
                ("duplicate", source.duplicates),
                ("sampled", source.sampled),
                ("refused", source.quarantined),
            )
        ],
        "reasons": [
            (in_words(reason, QUARANTINE_REASONS), rows)
            for reason, rows in sorted(source.reasons.items(), key=lambda item: (-item[1], item[0]))
        ],
    }


def _movement(data: ReportData) -> dict[str, Any] | None:
    if not data.movements:
        return None
    former = data.change.flows if data.change else ()
    names = {flow.from_segment: flow.from_name or "" for flow in former if flow.from_segment}
    names |= {profile.segment_id: profile.name for profile in data.segments}
    causes, flows = Counter[str](), Counter[tuple[str, str]]()
    for move in data.movements:
        causes[move.cause] += move.people
        start = names.get(move.from_segment, "a former segment") if move.from_segment else "not there before"
        end = names.get(move.to_segment, "a former segment") if move.to_segment else "not there any more"
        flows[start, end] += move.people
    total = sum(causes.values())
    return {
        "total": total,
        "causes": [(in_words(cause, CAUSES), people, people / total) for cause, people in causes.most_common()],
        "flows": [(start, end, people) for (start, end), people in flows.most_common(8)],
    }


def _flows(change: Change, segments: list[dict[str, Any]]) -> dict[str, Any]:
    hues = {segment["profile"].segment_id: segment["hue"] for segment in segments}
    return {"chart": flows_chart(change, hues), "told": describe_change(change), "segments": tell_continuity(change)}


def _check(check: Check) -> dict[str, Any]:
    found, limit = check.told
    side = "at most" if check.check.startswith("max") else "at least"
    return {
        "name": in_words(check.check, CHECKS),
        "key": check.check,
        "found": found,
        "limit": f"{side} {limit}",
        "meaning": _capital(check.meaning),
        "whom": "" if check.whom in check.meaning and not check.holds else check.whom,
        "holds": check.holds,
    }


def _accepted(provenance: Provenance) -> str | None:
    """What was decided where a version was published in spite of a check."""
    reason = provenance.reason or ""
    return _capital(reason) if accepted_checks(reason) else None


def _money(value: float, currency: str | None) -> str:
    text = f"{value:,.0f}" if abs(value) >= 1000 else number(value)
    return f"{text} {currency}" if currency else text


def _floor_per_cent(share: float) -> str:
    """With one decimal, rounded down: what is not all must not look like all."""
    return f"{floor(share * 1000 + 1e-9) / 10:.1f} %"


def _method(algorithm: str) -> str:
    name = ALGORITHMS.get(algorithm, algorithm.replace("_", " "))
    return _capital(name)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def _moment(value: datetime | None) -> str:
    return "" if value is None else f"{_day(value)}, {value:%H:%M} UTC"
