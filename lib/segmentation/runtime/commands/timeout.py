"""`segmentation sessions --suggest-timeout`: how long the gaps between events are, and what timeout they support."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import log2

import click
from markupsafe import Markup
from rich.table import Table

from segmentation.profiles.plots.bars import Class, Place, histogram_chart
from segmentation.profiles.plots.canvas import for_all_screens
from segmentation.runtime.commands.picture import picture_path, write_picture
from segmentation.runtime.options import Common
from segmentation.runtime.record import RunRecord
from segmentation.runtime.runner import Request, open_context
from segmentation.runtime.terminal import open_console
from segmentation.runtime.warehouse import Warehouse
from segmentation.sessions.gaps import FEWEST, STEPS, shortest_of
from segmentation.stages.suggest_timeout import READS, Gaps, look_at_gaps

_BAR = 40
"""Width of the longest bar on a terminal, in characters."""

_TITLE = "Gaps between one event and the next"
_NAMED = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 6 * 3600: "6 h", 86400: "1 d",
          7 * 86400: "7 d", 30 * 86400: "30 d"}  # fmt: skip


def show_timeout(common: Common, output: str | None) -> None:
    """Prints the gaps and the suggestion, or one JSON object, and draws them where `output` says; writes no table."""
    path = picture_path(output)
    settings = common.settings()
    spark = common.spark(settings)
    record = RunRecord(Warehouse(spark, settings.warehouse))
    found = look_at_gaps(open_context(record, settings, READS, Request(common.as_of), common.progress().tell))
    if common.log_format == "json":
        gaps = [{"from_seconds": shortest_of(number), "gaps": n} for number, n in sorted(found.counts.items())]
        click.echo(json.dumps({**asdict(found.suggestion), "configured_minutes": found.configured_minutes, "by": gaps}))
    else:
        console = open_console()
        console.print(_table(found))
        console.print(tell_gaps(found))
    if path is not None:
        write_picture(spark, path, _TITLE, lambda width: _draw(found, width), _page(found))


def tell_gaps(found: Gaps) -> str:
    """What the gaps support, and why, in a few sentences."""
    said, now = found.suggestion, found.configured_minutes
    if said.gaps < FEWEST:
        return f"There are {said.gaps:,} gaps only: too few to say anything. sessions.timeout_minutes stays {now:g}."
    if said.timeout_minutes is None:
        return (
            "The gaps within visits and those between them run into each other: no timeout is better than another by "
            f"what the gaps say. sessions.timeout_minutes stays {now:g}."
        )
    cut, cut_now = found.cuts(said.timeout_minutes), found.cuts(now)
    if said.timeout_minutes == now:
        than = "it is what is set now"
    elif cut == cut_now:
        than = f"the {now:g} of now cuts at as many"
    else:
        than = f"the {now:g} of now cuts at {abs(cut_now - cut):,} {'more' if cut_now > cut else 'fewer'}"
    return (
        f"Gaps of about {length(said.timeout_minutes * 60)} are rarer than shorter and longer ones: the valley is "
        f"{said.depth:.0%} below the lower of its hills. sessions.timeout_minutes: {said.timeout_minutes:g} is what "
        f"they support. It cuts at {cut:,} of {said.gaps:,} gaps; {than}. Anything from "
        f"{length((said.from_minutes or 0) * 60)} to {length((said.to_minutes or 0) * 60)} cuts nearly the same."
    )


def length(seconds: float) -> str:
    """A stretch of time as people say it: `45 s`, `30 min`, `2.5 h`, `3 d`."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size * (1 if unit == "min" else 2):
            return f"{seconds / size:.2g} {unit}" if seconds / size < 100 else f"{seconds / size:.0f} {unit}"
    return f"{seconds:.2g} s"


def _table(found: Gaps) -> Table:
    """One row an octave."""
    octaves: dict[int, int] = {}
    for number, n in found.counts.items():
        octaves[number // STEPS] = octaves.get(number // STEPS, 0) + n
    most = max(octaves.values(), default=1)
    table = Table(title=_TITLE, title_justify="left", box=None, pad_edge=False)
    for name in ("from", "gaps", ""):
        table.add_column(name, justify="left" if name == "" else "right")
    for octave in range(max(octaves, default=-1) + 1):
        n = octaves.get(octave, 0)
        table.add_row(length(2.0**octave), f"{n:,}", "█" * round(n / most * _BAR) or ("▏" if n else ""))
    return table


def _page(found: Gaps) -> Markup:
    drawn = for_all_screens(lambda width: _draw(found, width))
    return Markup("{}<figcaption>{}</figcaption>").format(drawn, tell_gaps(found))


def _draw(found: Gaps, width: int) -> Markup:
    bars = [
        Class(n, f"{length(shortest_of(number))} to {length(shortest_of(number + 1))}: {n:,} gaps")
        for number in range(max(found.counts, default=0) + 1)
        for n in (found.counts.get(number, 0),)
    ]
    names = [Place(log2(s) * STEPS, text) for s, text in _NAMED.items() if log2(s) * STEPS <= len(bars)]
    now, supported = found.configured_minutes, found.suggestion.timeout_minutes
    marked = [(now, "now", "fallback"), (supported, "supported", "c1")]
    if supported is None or supported == now:
        marked = [(now, "now" if supported is None else "now and supported", "c1" if supported else "fallback")]
    places = [Place(log2(m * 60) * STEPS, f"{what}: {length(m * 60)}", hue) for m, what, hue in marked if m]
    return histogram_chart(_TITLE, tell_gaps(found), bars, names, places, width)
