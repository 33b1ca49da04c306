"""Names and one-sentence descriptions of segments, from what sets each apart, in marketing's words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise, product
from string import ascii_uppercase
from types import MappingProxyType

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.statistics import SegmentStatistics
from segmentation.profiles.wording import clause, listed, per_cent, plain

NOTABLE = 0.25
"""Effect size (in standard deviations of everyone) from which a feature sets a segment apart."""

WORDS = 2
"""Traits in a name, before more are needed to tell two segments apart."""

CLAUSES = 3
"""Traits in a description."""

_NO_TRAIT = "typical"
_OF_NOUNS = {"very": "keen", "slightly": "mild"}


@dataclass(frozen=True)
class SegmentName:
    """What people call a segment, and one sentence on it; `better`: what they would be called now, where a name in use
    is not true any more."""

    name: str
    description: str
    better: str | None = None


@dataclass(frozen=True)
class Trait:
    """A feature in which a segment differs from everyone, and the word for it."""

    feature: str
    word: str
    effect: float


@dataclass
class _Draft:
    """The words of one segment's name so far, by the feature that each comes from."""

    segment: SegmentStatistics
    words: dict[str, str]
    part: str | None = None
    compared: set[str] = field(default_factory=set)
    letter: str = ""

    @property
    def name(self) -> str:
        name = compose([*(self.words.values() or [_NO_TRAIT]), *filter(None, [self.letter])])
        return f"{self.part}: {name}" if self.part else name

    def effect(self, feature: str) -> float:
        figures = self.segment.features.get(feature)
        return 0.0 if figures is None else figures.effect_size


def name_segments(
    statistics: Sequence[SegmentStatistics],
    catalogue: Mapping[str, FeatureInfo],
    kept: Mapping[str, str],
    parts: Mapping[str, str] = MappingProxyType({}),
    found: Collection[str] = (),
) -> dict[str, SegmentName]:
    """Segment id -> name and description.

    `kept` (segment id -> name in use) stays as it is; new names differ from each other and from all of these, also
    from names of segments that are no more. `parts` (segment id -> a part of the people) stands before the name of
    the segments of a part. `found`: the segments whose kept name was found here once, so that a better one is said
    where it `is_true` no more. Nothing depends on the order of `statistics`.
    """
    new = [segment for segment in statistics if segment.segment_id not in kept]
    names = {**_find_names(new, statistics, catalogue, kept, parts), **kept}
    untrue = [
        segment
        for segment in statistics
        if segment.segment_id in found
        and not is_true(names[segment.segment_id], segment, catalogue, parts.get(segment.segment_id))
    ]
    better = _find_names(untrue, statistics, catalogue, names, parts)
    return {
        s.segment_id: SegmentName(names[s.segment_id], describe(s, catalogue), better.get(s.segment_id))
        for s in statistics
    }


def is_true(
    name: str, segment: SegmentStatistics, catalogue: Mapping[str, FeatureInfo], part: str | None = None
) -> bool:
    """Whether each word of a name that was found holds of the segment: a feature that it stands for is still `NOTABLE`
    on its side of everyone; for `slightly`, on its side at all; for `typical`, none is notable.

    A name that does not consist of the catalogue's words says nothing that could be untrue.
    """
    holds = _words_that_hold(segment, catalogue)
    longest_first = map(re.escape, sorted(holds, key=len, reverse=True))
    word = re.compile(rf"({'|'.join(longest_first)}|group [a-z]+)(, | and | |$)")
    rest, said = name.casefold().removeprefix(f"{part}: ".casefold()), []
    while rest:
        if not (read := word.match(rest)):
            return True
        said.append(read[1])
        rest = rest[read.end() :]
    return all(holds.get(one, True) for one in said)


def _words_that_hold(segment: SegmentStatistics, catalogue: Mapping[str, FeatureInfo]) -> dict[str, bool]:
    """Each word that may stand in a name -> whether it holds of the segment; what was not measured may hold."""
    holds = {_NO_TRAIT: not _notable(segment, catalogue)}
    for name, info in catalogue.items():
        figures = segment.features.get(name)
        for word, side in ((info.high, 1), (info.low, -1)):
            effect = NOTABLE if figures is None else side * figures.effect_size
            graded = {word: effect >= NOTABLE, _graded("very", word): effect >= NOTABLE}
            for said, held in {**graded, _graded("slightly", word): effect > 0}.items():
                holds[said.casefold()] = holds.get(said.casefold(), False) or held
    return holds


def _find_names(
    unnamed: Sequence[SegmentStatistics],
    statistics: Sequence[SegmentStatistics],
    catalogue: Mapping[str, FeatureInfo],
    kept: Mapping[str, str],
    parts: Mapping[str, str],
) -> dict[str, str]:
    """Segment id -> a name for each of the `unnamed`, unlike each other and all that are `kept`."""
    drafts = {}
    for segment in sorted(unnamed, key=lambda segment: segment.segment_id):
        notable = _notable(segment, catalogue)[:WORDS]
        drafts[segment.segment_id] = _Draft(
            segment, {trait.feature: trait.word for trait in notable}, parts.get(segment.segment_id)
        )
    in_use = {segment.segment_id: _Draft(segment, {}) for segment in statistics if segment.segment_id in kept}
    while clash := _first_clash(drafts, kept):
        if all(set(catalogue) <= draft.compared for draft in clash):
            _letter(clash[-1], {name.casefold() for name in [*kept.values(), *(d.name for d in drafts.values())]})
            continue
        rivals = [in_use[i] for i, name in kept.items() if i in in_use and name.casefold() == clash[0].name.casefold()]
        _tell_apart(clash, rivals, catalogue)
    return {segment_id: draft.name for segment_id, draft in drafts.items()}


def traits(segment: SegmentStatistics, catalogue: Mapping[str, FeatureInfo]) -> list[Trait]:
    """What sets a segment apart, strongest first, one trait a family of features."""
    ranked = sorted(
        ((name, segment.features[name].effect_size) for name in catalogue if name in segment.features),
        key=lambda feature: (-abs(feature[1]), feature[0]),
    )
    strongest: dict[str, Trait] = {}
    for name, effect in ranked:
        info = catalogue[name]
        if effect != 0:
            strongest.setdefault(info.family, Trait(name, info.high if effect > 0 else info.low, effect))
    return list(strongest.values())


def _notable(segment: SegmentStatistics, catalogue: Mapping[str, FeatureInfo]) -> list[Trait]:
    return [trait for trait in traits(segment, catalogue) if abs(trait.effect) >= NOTABLE]


def compose(words: Iterable[str]) -> str:
    """Words as a name: adjectives first, a noun last: `High-value, lapsing`, `Occasional deal-seekers`."""
    distinct = list(dict.fromkeys(words))
    nouns = [word for word in distinct if is_noun(word)]
    name = " ".join(filter(None, [", ".join(word for word in distinct if word not in nouns), " and ".join(nouns)]))
    return name[:1].upper() + name[1:]


def is_noun(word: str) -> bool:
    """Whether a word of the catalogue is a plural noun (`deal-seekers`) and no adjective (`cautious`)."""
    return word.endswith("s") and not word.endswith(("ss", "ous"))


def describe(segment: SegmentStatistics, catalogue: Mapping[str, FeatureInfo]) -> str:
    """One sentence: how many people, and the figures that set them apart most."""
    people = "1 person" if segment.size == 1 else f"{segment.size:,} people"
    shown = [
        (catalogue[trait.feature], segment.features[trait.feature]) for trait in traits(segment, catalogue)[:CLAUSES]
    ]
    clauses = [said for info, figures in shown if (said := clause(info, figures))]
    further = [said for info, figures in shown if not clause(info, figures) and (said := plain(info, figures))]
    sentence = "; ".join(
        [f"{people} ({per_cent(segment.share)} of all)", *[f"they {listed(clauses)}"][: len(clauses)], *further]
    )
    return f"{sentence}."


def _first_clash(drafts: Mapping[str, _Draft], kept: Mapping[str, str]) -> list[_Draft]:
    """Drafts that share a name with each other, or one that has a kept name."""
    taken = {name.casefold() for name in kept.values()}
    by_name: dict[str, list[_Draft]] = defaultdict(list)
    for draft in drafts.values():
        by_name[draft.name.casefold()].append(draft)
    return next((same for name, same in by_name.items() if len(same) > 1 or name in taken), [])


def _tell_apart(clash: list[_Draft], rivals: list[_Draft], catalogue: Mapping[str, FeatureInfo]) -> None:
    """Changes or adds one word of the drafts: of the feature in which they, and `rivals` who have the name already,
    differ most. Each feature is compared once, so this comes to an end."""
    group = [*clash, *rivals]
    open_features = [name for name in catalogue if not any(name in draft.compared for draft in clash)]
    if not open_features:
        for draft in clash:
            draft.compared.update(catalogue)
        return
    effects = {name: [draft.effect(name) for draft in group] for name in open_features}
    # A segment alone (it would have the name of one that is no more) is told from everyone, at 0.
    alone = [0.0] if len(group) == 1 else []
    spread = {name: max(values + alone) - min(values + alone) for name, values in effects.items()}
    feature = min(open_features, key=lambda name: (-spread[name], name))
    cut = _largest_gap(effects[feature] + alone)
    for draft in clash:
        draft.compared.add(feature)
        if spread[feature] > 0 and (word := _word(catalogue[feature], draft.effect(feature), effects[feature], cut)):
            draft.words[feature] = word


def _word(info: FeatureInfo, effect: float, effects: list[float], cut: float) -> str | None:
    """The word for one side of the cut: where both sides lie on the same side of everyone, only the further one
    gets the plain word, or `very` if the nearer deserves it too."""
    far = effect > cut if effect > 0 else effect < cut
    word = info.high if effect > 0 else info.low
    others = [other for other in effects if (other > cut) != (effect > cut) and other * effect > 0]
    nearer = min((abs(other) for other in others), default=0.0)
    if abs(effect) < NOTABLE:
        return _graded("slightly", word) if far and effect else None
    return _graded("very", word) if far and nearer >= NOTABLE else word


def _graded(degree: str, word: str) -> str:
    """`very frequent`, `keen deal-seekers`; `slightly frequent`, `mild deal-seekers`."""
    return f"{_OF_NOUNS[degree] if is_noun(word) else degree} {word}"


def _largest_gap(effects: list[float]) -> float:
    """Its middle."""
    gaps = [(after - before, (after + before) / 2) for before, after in pairwise(sorted(effects))]
    return max(gaps, key=lambda gap: gap[0])[1] if gaps else 0.0


def _letter(draft: _Draft, taken: set[str]) -> None:
    """`group B`: for segments that are the same in every feature."""
    for length in count(1):
        for letters in product(ascii_uppercase, repeat=length):
            draft.letter = f"group {''.join(letters)}"
            if draft.name.casefold() not in taken:
                return
