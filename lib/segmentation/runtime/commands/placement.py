"""Why a person is in their segment, as a tree."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape
from rich.tree import Tree

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.wording import per_cent, quantity
from segmentation.segments.placement import Deciding, Placement

_MOST = 8
"""Features that are told; `--json` has all."""


def placement_tree(found: Placement, names: Mapping[str, str], catalogue: Mapping[str, FeatureInfo]) -> Tree:
    """In words; `names`: segment id -> its name in the version, `catalogue`: what each feature is called."""
    tree = Tree(
        f"Person [bold]{escape(found.person_id)}[/] is in [bold]{escape(found.segment_name)}[/] ({found.segment_id}), "
        f"version {found.segment_version}, as of {found.as_of}: {_how(found, names)}"
    )
    if found.unmet:
        outside = tree.add("Who is segmented (segments.scope), and this person is not:")
        for condition in found.unmet:
            bounds = {"at least": condition.at_least, "at most": condition.at_most}
            said = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if bound is not None)
            info = catalogue.get(condition.feature)
            outside.add(f"{escape(info.label if info else condition.feature)}: {said}")
    if found.nearest_segment_id is None:
        return tree
    other = escape(names.get(found.nearest_segment_id, found.nearest_segment_id))
    decided = tree.add(f"What keeps them there, against the nearest other segment, [bold]{other}[/]:")
    for one in found.deciding[:_MOST]:
        decided.add(_told(one, other, catalogue))
    if not found.deciding:
        decided.add("nothing that a single feature says: they are between the two")
    if found.would_move is None:
        tree.add(f"Not even with all features as they are typically in {other} would the model put them there.")
    else:
        moved = tree.add(f"What would move them to {other}, all together:")
        for one in found.would_move[:_MOST]:
            moved.add(f"{_label(one, catalogue)}: {_value(one, one.there, catalogue)}, now {_own(one, catalogue)}")
        if len(found.would_move) > _MOST:
            moved.add(f"… and {len(found.would_move) - _MOST} more")
    return tree


def _how(found: Placement, names: Mapping[str, str]) -> str:
    alone = escape(names.get(found.model_segment_id, found.model_segment_id))
    match found.method:
        case "rule":
            return f"by the rule {found.rule}; the model alone has them in {alone}"
        case "fallback":
            if found.not_granted:
                return f"they did not agree to be segmented (consent to '{escape(found.not_granted)}')"
            return "the model does not place them" if found.unmet else "too little is known of them"
        case "outlier":
            return "far out, beyond clustering.outliers"
    sure = f", probability {found.probability:.2f}" if found.probability is not None else ""
    clear = f", margin {found.margin:.2f} (of 0 to 1)" if found.margin is not None else ""
    return f"by the model{sure}{clear}"


def _told(one: Deciding, other: str, catalogue: Mapping[str, FeatureInfo]) -> str:
    here = "" if one.here is None else f"typical here {_value(one, one.here, catalogue)}, "
    typical = f"{here}in {other} {_value(one, one.there, catalogue)}"
    return f"{_label(one, catalogue)}: {_own(one, catalogue)} ({typical}) · {per_cent(one.effect)} of the way"


def _label(one: Deciding, catalogue: Mapping[str, FeatureInfo]) -> str:
    info = catalogue.get(one.feature)
    return escape(info.label if info else one.feature)


def _own(one: Deciding, catalogue: Mapping[str, FeatureInfo]) -> str:
    return "not known" if one.value is None else _value(one, one.value, catalogue)


def _value(one: Deciding, value: float, catalogue: Mapping[str, FeatureInfo]) -> str:
    info = catalogue.get(one.feature)
    return quantity(value, info.unit if info else "")
