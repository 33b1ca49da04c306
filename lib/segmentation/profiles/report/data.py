"""What a report tells, as plain values: Spark makes them, the page needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from segmentation.clustering.comparison import Comparison
from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.statistics import FeatureStatistics
from segmentation.segments.comparison import Change
from segmentation.segments.gates import Check


@dataclass(frozen=True)
class Month:
    """Events of one month, and the sum of their amounts."""

    month: date
    events: int
    amount: float | None


@dataclass(frozen=True)
class Activity:
    """What was taken in, and what people did. `currency` is None where there is none, or more than one."""

    months: Sequence[Month]
    first_date: date
    last_date: date
    events: int
    automatic: int
    """Events of bots and of test accounts, which later stages leave out; they are among `events`."""
    amount: float | None
    currency: str | None
    sessions: int = 0
    session_minutes: float | None = None
    events_a_session: float | None = None
    bounces: float | None = None
    """Share of sessions with one event only."""


@dataclass(frozen=True)
class RuleText:
    """One rule in words, the people who fulfil it, and how many of these are in the segment."""

    text: str
    people: int
    right: int


@dataclass(frozen=True)
class Profile:
    """One segment."""

    segment_id: str
    name: str
    description: str
    size: int
    share: float
    revenue: float | None
    revenue_share: float | None
    statistics: Mapping[str, FeatureStatistics]
    rules: Sequence[RuleText] = ()
    recall: float | None = None
    """Share of the segment's people whom the rules find."""
    is_fallback: bool = False
    better_name: str | None = None
    """What they would be called now, where their name is not true any more."""


@dataclass(frozen=True)
class Candidate:
    """One fit that was tried."""

    algorithm: str
    k: int
    silhouette: float | None
    stability: float | None
    over_time: float | None
    smallest: float | None
    largest: float | None
    failure: str | None
    chosen: bool
    davies_bouldin: float | None = None
    calinski_harabasz: float | None = None
    bic: float | None = None
    """Of mixtures."""
    weakest: float | None = None
    """The least mean Jaccard index of one of its clusters with its likeness in refits on halves of the people."""


@dataclass(frozen=True)
class PartModel:
    """A model that places the people of one part alone."""

    part: str
    people: int
    algorithm: str
    k: int
    silhouette: float | None
    agreement: float | None
    """How far the global model divides them alike (adjusted Rand index)."""


@dataclass(frozen=True)
class Choice:
    """How the number of segments came about."""

    reason: str
    candidates: Sequence[Candidate]
    comparisons: Sequence[Comparison] = ()
    """The choice itself and what other methods find, in the same sample of the people."""
    parts: Sequence[PartModel] = ()


@dataclass(frozen=True)
class Link:
    """Pairs of identifiers of one kind and status, and why they are no more."""

    kind: str
    status: str
    reason: str | None
    pairs: int


@dataclass(frozen=True)
class Identity:
    """Who is who. `score` is what a known truth says of it, where there is one."""

    people: int
    identifiers: Mapping[str, int]
    people_by_identifiers: Mapping[int, int]
    """Identifiers of a person -> people; the last counts those with that many or more."""
    links: Sequence[Link]
    score: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceQuality:
    """What became of the rows of one source."""

    source: str
    read: int
    accepted: int
    duplicates: int
    quarantined: int
    reasons: Mapping[str, int]
    sampled: int = 0
    """Left out by `sample`, for which others stand."""


@dataclass(frozen=True)
class Movement:
    """People who moved against the published version before."""

    cause: str
    from_segment: str | None
    to_segment: str | None
    people: int


@dataclass(frozen=True)
class RfmCell:
    """People with one score of recency and one of frequency. `money`: the sum of what is scored as money.

    `days` and `times`: the least and the most that they have of what is scored as recency and as frequency.
    """

    recency: int
    frequency: int
    name: str
    people: int
    money: float
    days: tuple[float, float]
    times: tuple[float, float]


@dataclass(frozen=True)
class Border:
    """People whom the model has in one segment and to whom another is next nearest; `ambiguous`: of them, those who are
    marked so."""

    segment: str
    nearest: str
    people: int
    ambiguous: int


@dataclass(frozen=True)
class Decisions:
    """What rules decided, and where the model alone would have people."""

    people: Mapping[str, int]
    """Rule -> people of whom it decided; the most first."""
    together: Mapping[tuple[str, str], int]
    """(segment id, segment id by the model alone) -> people; of everyone, not only of those whom rules decided of."""
    agreement: float
    """Of the two (adjusted Rand index)."""


@dataclass(frozen=True)
class TypicalPerson:
    """Somebody near the middle of their segment, by their pseudonymous id. `values`: feature -> theirs, None where it
    is not known."""

    segment: str
    person_id: str
    values: Mapping[str, float | None]


STAGES = ("new", "active", "slipping", "lapsed")
"""Of people's time as customers, in order."""


@dataclass(frozen=True)
class Lifecycle:
    """Where people are in their time as customers: segment id -> stage of `STAGES` -> people; and the days that part
    the stages."""

    people: Mapping[str, Mapping[str, int]]
    new_days: int
    active_days: int
    lapsed_days: int


@dataclass(frozen=True)
class Attribute:
    """One attribute of persons: segment id -> people of each kind of it, in the same order everywhere. People of whom
    it is not known are not in it."""

    name: str
    people: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class Rfm:
    """The grid of five scores each. `segments`: name in the grid -> segment id (None: in none) -> people."""

    cells: Sequence[RfmCell]
    segments: Mapping[str, Mapping[str | None, int]]


@dataclass(frozen=True)
class Step:
    """How often one step followed another; `(start)` and `(end)` are steps too. `share`: of all that followed it."""

    before: str
    after: str
    times: int
    share: float


@dataclass(frozen=True)
class Way:
    """One common path of journeys that reached the target, or did not; `share` is of all that did, or did not."""

    reached: bool
    steps: Sequence[str]
    journeys: int
    people: int
    share: float


@dataclass(frozen=True)
class OwnJourneys:
    """Journeys of the people of one segment: how many there are, how many led to the target, and the commonest ways."""

    journeys: int
    reached: int
    ways: Sequence[Way]


@dataclass(frozen=True)
class Journeys:
    """What people do one after the other in the last `days`; with `repeats`, a step counts each time in a row.
    `segments`: segment id -> its people's."""

    days: int
    repeats: bool
    steps: Sequence[Step]
    ways: Sequence[Way]
    segments: Mapping[str, OwnJourneys] = field(default_factory=dict)


@dataclass(frozen=True)
class StageRun:
    """The last run of one stage that went well."""

    stage: str
    rows_in: int
    rows_out: int
    seconds: float


@dataclass(frozen=True)
class Provenance:
    """Where the version comes from."""

    segment_version: int
    status: str
    as_of: date
    created: datetime
    published: datetime | None
    reason: str | None
    model_id: str
    algorithm: str
    tables: Mapping[str, int]
    """Table -> Delta version that it was made from."""
    config_sha256: str
    code_version: str
    run_id: str
    stages: Sequence[StageRun] = ()


@dataclass(frozen=True)
class ReportData:
    """A whole report. `features` are in the order in which they are shown."""

    title: str
    notes: Sequence[str]
    provenance: Provenance
    activity: Activity
    segments: Sequence[Profile]
    features: Sequence[FeatureInfo]
    fidelity: float | None
    choice: Choice | None
    identity: Identity | None
    quality: Sequence[SourceQuality]
    checks: Sequence[Check] = ()
    """What gates judged the version by, or would."""
    movements: Sequence[Movement] = ()
    change: Change | None = None
    """Against the version that was published before."""
    borders: Sequence[Border] = ()
    decisions: Decisions | None = None
    typical: Sequence[TypicalPerson] = ()
    """The most typical of a segment first."""
    lifecycle: Lifecycle | None = None
    attributes: Sequence[Attribute] = ()
    rfm: Rfm | None = None
    rfm_engagement: Rfm | None = None
    """The same grid of what people do, whether they buy or not."""
    journeys: Journeys | None = None
