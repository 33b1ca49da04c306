"""A whole report's data, as a grocer's might be: a base for the tests, and for looking at."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from segmentation.clustering.comparison import Comparison
from segmentation.clustering.matching import Birth, Continuity, Death, Survival
from segmentation.config.rfm import RFM_GRID
from segmentation.config.segments import Gates
from segmentation.contracts.feature_info import FeatureInfo
from segmentation.profiles.naming import describe, name_segments
from segmentation.profiles.report.data import (
    Activity,
    Attribute,
    Border,
    Candidate,
    Choice,
    Decisions,
    Identity,
    Journeys,
    Lifecycle,
    Link,
    Month,
    Movement,
    OwnJourneys,
    Profile,
    Provenance,
    ReportData,
    Rfm,
    RfmCell,
    RuleText,
    SourceQuality,
    StageRun,
    Step,
    TypicalPerson,
    Way,
)
from segmentation.profiles.statistics import FeatureStatistics, SegmentStatistics
from segmentation.segments.comparison import Change, Flow
from segmentation.segments.gates import Check, weigh
from segmentation.segments.versions import Version

FEATURES = (
    FeatureInfo(
        "recency",
        "Days since the last purchase",
        "days",
        "Days from the last purchase to the date of the report.",
        "loyalty",
        "lapsing",
        "recent",
        "bought {value} ago",
    ),
    FeatureInfo(
        "frequency",
        "Shopping trips",
        "trips",
        "Baskets bought.",
        "rhythm",
        "frequent",
        "occasional",
        "come {value} a year",
    ),
    FeatureInfo(
        "monetary",
        "Spend",
        "money",
        "What was bought less what came back.",
        "value",
        "high-value",
        "low-value",
        "spend {times}",
    ),
    FeatureInfo(
        "average_basket_value",
        "Basket value",
        "money",
        "Mean value of a basket.",
        "basket",
        "big-basket",
        "small-basket",
    ),
    FeatureInfo(
        "interpurchase_time",
        "Days between trips",
        "days",
        "Mean days from one purchase to the next.",
        "rhythm",
        "occasional",
        "frequent",
        "come every {value}",
    ),
    FeatureInfo(
        "tenure", "Days as a customer", "days", "Days since the first purchase.", "age", "long-standing", "new"
    ),
    FeatureInfo(
        "coupon_share",
        "Baskets with a coupon",
        "share",
        "Share of baskets in which a coupon was used.",
        "offers",
        "deal-seekers",
        "full-price buyers",
        "use a coupon in {value} of their baskets",
    ),
    FeatureInfo(
        "grocery_share",
        "Groceries",
        "share",
        "Share of spend on groceries.",
        "mix",
        "grocery shoppers",
        "non-food shoppers",
    ),
    FeatureInfo(
        "evening_share",
        "Evening shopping",
        "share",
        "Share of activity from 18 to 22 o'clock.",
        "hours",
        "evening",
        "daytime",
        "shop in the evening {value} of the time",
    ),
)

_EVERYONE = {
    "recency": (21.0, 9.0, 30.0),
    "frequency": (61.0, 45.0, 48.0),
    "monetary": (1860.0, 1310.0, 1700.0),
    "average_basket_value": (31.2, 27.9, 16.0),
    "interpurchase_time": (9.4, 6.2, 9.0),
    "tenure": (310.0, 338.0, 60.0),
    "coupon_share": (0.08, 0.02, 0.12),
    "grocery_share": (0.51, 0.52, 0.14),
    "evening_share": (0.24, 0.22, 0.13),
}

_EFFECTS: dict[str, tuple[int, float, dict[str, float]]] = {
    "s-loyal": (
        412,
        0.41,
        {"monetary": 2.3, "frequency": 1.9, "interpurchase_time": -0.7, "recency": -0.5, "coupon_share": 0.3},
    ),
    "s-regular": (
        803,
        0.33,
        {"frequency": 0.35, "monetary": 0.2, "recency": -0.4, "grocery_share": 0.3, "interpurchase_time": -0.4},
    ),
    "s-deals": (
        311,
        0.13,
        {"coupon_share": 1.7, "interpurchase_time": 0.3, "average_basket_value": 0.5, "evening_share": -0.2},
    ),
    "s-lapsing": (
        287,
        0.04,
        {"recency": 1.8, "frequency": -0.9, "monetary": -0.8, "tenure": -0.2, "interpurchase_time": 1.2},
    ),
    "s-evening": (
        398,
        0.07,
        {"evening_share": 1.4, "average_basket_value": -0.8, "monetary": -0.6, "grocery_share": -0.6},
    ),
    "s-new": (203, 0.02, {"tenure": -2.4, "monetary": -0.9, "frequency": -0.9, "grocery_share": -0.9}),
}


def _figures(name: str, effect: float, size: int) -> FeatureStatistics:
    mean, median, deviation = _EVERYONE[name]
    here = max(mean + effect * deviation, mean * 0.04)
    middle = max(median + effect * deviation * 0.8, median * 0.05)
    return FeatureStatistics(size, here, round(middle, 2), deviation * 0.6, effect, mean, median)


def _profiles() -> list[Profile]:
    infos = {info.name: info for info in FEATURES}
    people = sum(size for size, *_ in _EFFECTS.values()) + 55
    statistics = [
        SegmentStatistics(
            segment_id, size, size / people, {name: _figures(name, effects.get(name, 0.05), size) for name in infos}
        )
        for segment_id, (size, _, effects) in _EFFECTS.items()
    ]
    names = name_segments(statistics, infos, {})
    rules = (
        RuleText("Shopping trips more than 98 and spend more than 2,410", 390, 352),
        RuleText("Days between trips at most 3.2 and baskets with a coupon more than 12 %", 41, 30),
        RuleText("Spend more than 5,150", 20, 18),
    )
    profiles = [
        Profile(
            s.segment_id,
            names[s.segment_id].name,
            describe(s, infos),
            s.size,
            s.share,
            4_592_000 * _EFFECTS[s.segment_id][1],
            _EFFECTS[s.segment_id][1],
            s.features,
            rules[:1] if s.segment_id != "s-loyal" else rules,
            0.91,
        )
        for s in statistics
    ]
    fallback = Profile("unassigned", "Not enough activity", "55 people (2 % of all).", 55, 55 / people, 0.0, 0.0, {})
    return [*profiles, replace(fallback, is_fallback=True)]


def _candidates() -> list[Candidate]:
    found = []
    for a, (algorithm, best) in enumerate({"bisecting_kmeans": 0.31, "gaussian_mixture": 0.24, "kmeans": 0.34}.items()):
        for k in range(2, 13):
            silhouette = best + 0.12 / k - 0.008 * abs(k - 6) + 0.01 * ((k * (a + 2)) % 3)
            chosen = algorithm == "kmeans" and k == 6
            stability = 0.88 if chosen else 0.61 if k in (5, 7) and a == 2 else None
            over_time = 0.83 if chosen else None
            failed = algorithm == "gaussian_mixture" and k > 10
            failure = "a covariance is singular" if failed else None
            told = None if failed else silhouette
            further = {} if failed else {"davies_bouldin": 1 / silhouette, "calinski_harabasz": 3_000 * silhouette}
            further |= {"bic": 41_000 - 900.0 * k} if algorithm == "gaussian_mixture" and not failed else {}
            weakest = None if stability is None else stability - 0.2
            base = Candidate(algorithm, k, told, stability, over_time, 0.4 / k, 1.6 / k, failure, chosen)
            found.append(replace(base, weakest=weakest, **further))
    return found


def rfm_grid() -> Rfm:
    """A grid with an empty cell; most who come often came lately."""
    cells = []
    for name, places in RFM_GRID.items():
        for recency, frequency in ((int(place[0]), int(place[1])) for place in places):
            people = 20 + 22 * (5 - abs(recency - frequency)) + 7 * ((recency * frequency) % 3)
            if (recency, frequency) == (1, 5):
                continue
            days = (9.0 * (5 - recency), 9.0 * (5 - recency) + 8)
            times = (12.0 * frequency - 11, 12.0 * frequency)
            cells.append(RfmCell(recency, frequency, name, people, people * frequency * 310.0, days, times))
    segments: dict[str, dict[str | None, int]] = {
        name: {"s-loyal": 40, "s-lapsing": 10 * number, None: 1} for number, name in enumerate(RFM_GRID)
    }
    return Rfm(cells, segments)


def lifecycle() -> Lifecycle:
    """Of each segment a few more have lapsed than of the one before; nobody is new to the first."""
    profiles = _profiles()
    people = {
        profile.segment_id: {"active": profile.size - 30 * at, "slipping": 10 * at, "lapsed": 20 * at}
        | ({"new": 8} if at else {})
        for at, profile in enumerate(profiles[:-1])
    }
    return Lifecycle(people, 30, 30, 90)


def attributes() -> list[Attribute]:
    """One that goes with the segments, one that hardly does, and one of which all people have the same."""
    return [
        Attribute("loyalty_card", {"s-loyal": [10, 190], "s-regular": [150, 50], "unassigned": [55, 0]}),
        Attribute("region", {"s-loyal": [100, 100], "s-regular": [90, 110]}),
        Attribute("country", {"s-loyal": [0, 200], "s-regular": [0, 200]}),
    ]


def journeys() -> Journeys:
    """What a shop on the web sees; most who leave have looked only."""
    followed = {
        ("(start)", "page_view"): 8_000,
        ("(start)", "search"): 2_000,
        ("page_view", "view_product"): 6_000,
        ("page_view", "(end)"): 2_500,
        ("search", "view_product"): 1_500,
        ("search", "(end)"): 1_000,
        ("view_product", "add_to_cart"): 3_000,
        ("view_product", "search"): 500,
        ("view_product", "page_view"): 500,
        ("view_product", "(end)"): 3_500,
        ("add_to_cart", "purchase"): 2_000,
        ("add_to_cart", "(end)"): 1_000,
    }
    leaving: dict[str, int] = {}
    for (before, _), times in followed.items():
        leaving[before] = leaving.get(before, 0) + times
    steps = [Step(before, after, times, times / leaving[before]) for (before, after), times in followed.items()]
    ways = [
        Way(True, ("page_view", "view_product", "add_to_cart", "purchase"), 1_500, 900, 0.75),
        Way(True, ("search", "view_product", "add_to_cart", "purchase"), 300, 250, 0.15),
        Way(True, ("…", "search", "view_product", "add_to_cart", "purchase"), 200, 170, 0.1),
        Way(False, ("page_view", "view_product"), 3_000, 2_000, 0.375),
        Way(False, ("page_view",), 2_400, 1_900, 0.3),
        Way(False, ("page_view", "view_product", "add_to_cart"), 900, 700, 0.1125),
    ]
    own = {
        "s-loyal": OwnJourneys(4_000, 1_000, ways[:2]),
        "s-evening": OwnJourneys(2_000, 0, ways[3:5]),
    }
    return Journeys(
        90, False, sorted(steps, key=lambda step: -step.times), sorted(ways, key=lambda way: -way.journeys), own
    )


def borders() -> list[Border]:
    """The loyal lie beside the regular; some of the regular, for whom others are nearer, beside the loyal."""
    return [
        Border("s-loyal", "s-regular", 400, 10),
        Border("s-loyal", "s-deals", 12, 2),
        Border("s-regular", "s-loyal", 203, 41),
        Border("s-regular", "s-lapsing", 600, 19),
        Border("s-deals", "s-regular", 311, 0),
    ]


def decisions() -> Decisions:
    """Two rules, of which one leaves a segment of the model's empty; the rest are where the model has them."""
    together = {("s-loyal", "s-loyal"): 309, ("s-loyal", "s-regular"): 103, ("s-regular", "s-regular"): 803}
    return Decisions({"big spenders": 103, "staff": 55}, {**together, ("unassigned", "s-emptied"): 55}, 0.874)


def checks() -> list[Check]:
    """What a version was judged by, of which one check does not hold."""
    metrics = {"moved": 420.0, "moved_share": 0.18, "people": 2469.0, "coverage": 0.978, "drift": 0.31}
    metrics |= {"smallest_share": 0.038, "smallest_people": 93.0, "largest_share": 0.26, "largest_people": 640.0}
    about = {"smallest_share": "Evening", "largest_share": "Frequent, recent", "drift": "recency"}
    return weigh(metrics, Gates(max_drift=0.4), about)


def version(number: int, **changes: Any) -> Version:
    """A version with nothing of its own."""
    made = datetime(2026, 11, 22, 18, 3, tzinfo=UTC)
    nothing = Continuity({}).to_json()
    base = Version(number, date(2017, 12, 31), "m", "retired", {}, {}, made, made, None, "c", "1", None, "f", nothing)
    return replace(base, **changes)


def change() -> Change:
    """Since the version before, from which two segments are gone: one has split, the other is in another now."""
    names = {segment.segment_id: segment.name for segment in _profiles()}
    names |= {"s-gone": "Weekend shoppers", "s-old": "Seldom, small-basket"}
    told = [
        ("s-loyal", "s-loyal", 380),
        ("s-regular", "s-regular", 600),
        ("s-lapsing", "s-lapsing", 510),
        ("s-gone", "s-evening", 90),
        ("s-gone", "s-deals", 180),
        ("s-old", "s-lapsing", 70),
        ("s-old", "s-loyal", 20),
        ("s-loyal", "s-regular", 31),
        (None, "s-new", 12),
        ("s-regular", None, 8),
    ]
    flows = [Flow(old, names[old] if old else None, now, names[now] if now else None, n) for old, now, n in told]
    continuity = Continuity(
        {0: "s-loyal", 1: "s-regular", 2: "s-lapsing", 3: "s-evening", 4: "s-deals", 5: "s-new"},
        (
            Survival("s-loyal", 0, 400, 0.88),
            Survival("s-regular", 1, 631, 0.94),
            Survival("s-lapsing", 2, 580, 0.71),
        ),
        (Birth("s-evening", 3, 90, "s-gone"), Birth("s-deals", 4, 180, "s-gone"), Birth("s-new", 5, 12, None)),
        (Death("s-gone", 270, "s-deals"), Death("s-old", 90, "s-lapsing")),
    )
    return Change(version(1), version(2, compared_with=1, continuity=continuity.to_json()), flows)


def typical_people() -> list[TypicalPerson]:
    """Two of the loyal, of one of whom the spend is not known."""
    values: dict[str, float | None] = {name: _EVERYONE[name][1] for name in _EVERYONE}
    return [
        TypicalPerson("s-loyal", "p0a1b2c3", {**values, "monetary": 4321.0}),
        TypicalPerson("s-loyal", "p9f8e7d6", {**values, "monetary": None}),
    ]


def report_data(**changes: Any) -> ReportData:
    """The base, with `changes`."""
    months = [
        Month(date(2017, m, 1), 118_000 + 9_000 * ((m * 7) % 5) - 60_000 * (m == 12), 380_000.0) for m in range(1, 13)
    ]
    data = ReportData(
        title="Households of a grocer",
        notes=("The publisher of Complete Journey simulated these baskets from real shopping.",),
        provenance=Provenance(
            segment_version=1,
            status="published",
            as_of=date(2017, 12, 31),
            created=datetime(2026, 11, 22, 18, 3, tzinfo=UTC),
            published=datetime(2026, 11, 22, 18, 4, tzinfo=UTC),
            reason=None,
            model_id="5f0c9d4be1a2",
            algorithm="kmeans",
            tables={"events": 3, "persons": 1, "sessions": 1, "features": 1, "models": 1},
            config_sha256="9b1f" * 16,
            code_version="0.1.0+4e5d6c7b8a90",
            run_id="3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            stages=(StageRun("ingest", 1_476_411, 1_476_309, 18.4), StageRun("features", 1_476_309, 2469, 9.2)),
        ),
        activity=Activity(
            months, date(2017, 1, 1), date(2017, 12, 31), 1_476_309, 1200, 4_592_000.0, "USD", 156_031, 12.4, 9.5, 0.21
        ),
        segments=_profiles(),
        features=FEATURES,
        fidelity=0.874,
        choice=Choice(
            "K-means with k = 6: silhouette 0.364; the best of 28 out of 31 candidates that keep the limits on sizes "
            "(3% to 60% of the people in each cluster).",
            _candidates(),
            (
                Comparison("kmeans", 6, 2000, 0, 0.361, 1.0),
                Comparison("hierarchical", 6, 2000, 0, 0.334, 0.71),
                Comparison("dbscan", 3, 2000, 412, 0.402, 0.35),
            ),
        ),
        identity=Identity(
            people=2469,
            identifiers={"household_id": 2469, "cookie": 3901, "email": 1820},
            people_by_identifiers={1: 540, 2: 811, 3: 702, 4: 301, 5: 115},
            links=(
                Link("deterministic", "active", None, 5712),
                Link("deterministic", "cut", "would give a person 2 household_id (at most 1)", 64),
                Link("deterministic", "cut", "seen with more than 20 other values: nobody's identifier", 25),
            ),
            score={
                "identifiers": 8190,
                "pairwise_recall": 0.9871,
                "pairwise_precision": 0.99964,
                "largest_wrong_merge": 2,
            },
        ),
        quality=(
            SourceQuality("purchases", 1_469_307, 1_469_307, 0, 0, {}),
            SourceQuality("sign_ins", 7_104, 6_988, 14, 102, {"no_identifier": 61, "bad_event_ts": 41}),
        ),
        movements=(
            Movement("behaviour", "s-loyal", "s-regular", 31),
            Movement("new", None, "s-new", 12),
            Movement("refit", "s-gone", "s-deals", 5),
        ),
    )
    return replace(data, **changes)
