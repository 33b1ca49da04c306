"""The catalogue of features as one self-contained page of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import pairwise

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from segmentation.features.quantiles import share_up_to
from segmentation.features.sheets import FeatureSheet
from segmentation.profiles.plots.bars import Class, small_histogram
from segmentation.profiles.wording import number, per_cent, quantity

_WIDTH, _HEIGHT, _BARS = 300, 64, 24


@dataclass(frozen=True)
class Measured:
    """One feature as `feature_profiles` has it: of how many people, the share that has no value, the 101 percentiles of
    the others (None where there are none), and what was found."""

    as_of: date
    people: int
    missing: float
    percentiles: Sequence[float] | None
    findings: Sequence[str]
    dropped: bool


def build_feature_page(
    sheets: Sequence[FeatureSheet], shared: Mapping[str, str], measured: Mapping[str, Measured], feature_set: str
) -> str:
    """The page; `shared`: what many features are made of -> which rows these are. All text that comes from the
    configuration is escaped."""
    here = files("segmentation.profiles.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    newest = max((found.as_of for found in measured.values()), default=None)
    page = environment.from_string((here / "features.html").read_text(encoding="utf-8")).render(
        cards=[_card(sheet, measured.get(sheet.info.name)) for sheet in sheets],
        shared=shared,
        measured=newest,
        people=max((found.people for found in measured.values()), default=0),
        feature_set=feature_set,
        style=Markup((here / "page.css").read_text(encoding="utf-8")),
    )
    return page.strip() + "\n"


def histogram(percentiles: Sequence[float], unit: str) -> Markup:
    """How people spread over a feature, from its 2nd to its 98th percentile, by its 101 percentiles."""
    low, high = percentiles[2], percentiles[98]
    if low == high:
        low, high = percentiles[0], percentiles[100]
    if low == high:
        return Markup("")
    edges = [low + (high - low) * step / _BARS for step in range(_BARS + 1)]
    reached = [0.0, *(share_up_to(edge, percentiles) for edge in edges[1:-1]), 1.0]
    shares = [up_to - before for before, up_to in pairwise(reached)]
    bars = [
        Class(share, f"{quantity(edges[place], unit)} to {quantity(edges[place + 1], unit)}: {per_cent(share)}")
        for place, share in enumerate(shares)
    ]
    said = f"From {quantity(low, unit)} to {quantity(high, unit)}, half below {quantity(percentiles[50], unit)}"
    return small_histogram(said, bars, (quantity(low, unit), quantity(high, unit)), _WIDTH, _HEIGHT)


def _card(sheet: FeatureSheet, found: Measured | None) -> dict[str, object]:
    facts: list[tuple[str, str]] = []
    if found and found.percentiles:
        unit = sheet.info.unit
        facts = [(f"{percent} % below", quantity(found.percentiles[percent], unit)) for percent in (5, 50, 95)]
        facts += [("no value", per_cent(found.missing))] if found.missing else []
    return {
        "sheet": sheet,
        "fill": "empty" if sheet.fill is None else number(sheet.fill),
        "histogram": histogram(found.percentiles, sheet.info.unit) if found and found.percentiles else "",
        "facts": facts,
        "findings": found.findings if found else (),
        "dropped": bool(found and found.dropped),
    }
