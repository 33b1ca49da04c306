"""Who went where, as a picture and as a table for a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup

from segmentation.profiles.plots.canvas import for_all_screens
from segmentation.profiles.plots.sankey import Band, Group, sankey_chart
from segmentation.profiles.wording import per_cent
from segmentation.segments.comparison import Change, Flow

HUES = 10
"""Colours of segments in the style sheet; further segments use them again, told apart by their names."""

NOT_THERE, GONE = "not there before", "gone"


def flows_chart(change: Change, hues: Mapping[str, str] = MappingProxyType({})) -> Markup:
    """All flows between two versions, for wide and for narrow screens; see `draw_flows` for `hues`."""
    return for_all_screens(lambda width: draw_flows(change, width, hues))


def draw_flows(change: Change, width: int, hues: Mapping[str, str] = MappingProxyType({})) -> Markup:
    """The same as one drawing. Those who stayed are paler; a segment has one colour on both sides.

    `hues`: the colours that segments have on the page already, by their ids.
    """
    left = _list_side([(flow.from_segment, flow.from_name or NOT_THERE, flow.people) for flow in change.flows])
    right = _list_side([(flow.to_segment, flow.to_name or GONE, flow.people) for flow in change.flows])
    known = [side.segment for side in (*left, *right) if side.segment is not None]
    further = [segment for segment in dict.fromkeys(known) if segment not in hues]
    hues = {**hues, **{segment: f"c{number % HUES}" for number, segment in enumerate(further, len(hues))}}
    lefts, rights = ({side.segment: number for number, side in enumerate(sides)} for sides in (left, right))
    bands = [
        Band(lefts[flow.from_segment], rights[flow.to_segment], flow.people, _label(flow), flow.stays)
        for flow in change.flows
    ]
    groups = [
        [Group(f"{side.name} ({side.people:,})", hues.get(side.segment or "", "fallback")) for side in sides]
        for sides in (left, right)
    ]
    return sankey_chart(title_of(change), describe_change(change), groups[0], groups[1], bands, width)


def title_of(change: Change) -> str:
    """What the picture and its page are called."""
    return f"Who went where from version {change.before.segment_version} to {change.after.segment_version}"


def flows_table(change: Change) -> Markup:
    """The same flow by flow, most people first."""
    rows = [
        Markup('<tr><td>{}</td><td>{}</td><td class="num">{}</td><td class="num">{}</td></tr>').format(*cells)
        for cells in tell_flows(change)
    ]
    head = Markup("<tr><th>From</th><th>To</th>{0}People</th>{0}Of its people</th></tr>").format(
        Markup('<th class="num">')
    )
    return Markup('<div class="scroll"><table><thead>{}</thead><tbody>{}</tbody></table></div>').format(
        head, Markup("").join(rows)
    )


def tell_flows(change: Change) -> list[tuple[str, str, str, str]]:
    """Each flow in words: from where, where to, how many, and which share of those who were there."""
    before = Counter[str | None]()
    for flow in change.flows:
        before[flow.from_segment] += flow.people
    return [
        (
            flow.from_name or NOT_THERE,
            flow.to_name or GONE,
            f"{flow.people:,}",
            per_cent(flow.people / before[flow.from_segment]) if flow.from_segment else "",
        )
        for flow in change.flows
    ]


def describe_change(change: Change) -> str:
    """One sentence on everybody."""
    return (
        f"{change.moved:,} people moved, {change.stayed:,} stayed, {change.new:,} are new and {change.left:,} are gone."
    )


@dataclass(frozen=True)
class _Side:
    """One segment of one version; None: in none."""

    segment: str | None
    name: str
    people: int


def _list_side(found: Sequence[tuple[str | None, str, int]]) -> list[_Side]:
    """Largest first; those who are in no segment last."""
    sizes, names = Counter[str | None](), {segment: name for segment, name, _ in found}
    for segment, _, people in found:
        sizes[segment] += people
    ordered = sorted(sizes.items(), key=lambda item: (item[0] is None, -item[1], item[0] or ""))
    return [_Side(segment, names[segment], people) for segment, people in ordered]


def _label(flow: Flow) -> str:
    people = "1 person" if flow.people == 1 else f"{flow.people:,} people"
    return f"{flow.from_name or NOT_THERE} → {flow.to_name or GONE}: {people}"
