"""The catalogue of a configuration's features: what each means, what it is made of, and who uses it.

What a feature is made of is asked of the very code that measures it, so the catalogue cannot say anything else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from segmentation.config.feature_definition import FeatureDefinition
from segmentation.config.features import FeatureSettings
from segmentation.config.identity import AttributeRule
from segmentation.config.rfm import Grid
from segmentation.config.rules import Rule, rule_fields
from segmentation.config.settings import Settings
from segmentation.contracts.feature_info import FeatureInfo
from segmentation.features.catalogue import feature_catalogue
from segmentation.features.compile import compile_features
from segmentation.features.library import Source
from segmentation.features.measures import WEIGHTS, Figure
from segmentation.features.rule_words import describe_row

_ANY_DAY = date(2000, 1, 1)

_MADE = {
    ("sum", "count"): "number of {rows}",
    ("sum", "sum"): "sum of {field} of {rows}",
    ("sum", "values"): "number of {rows} that have {field}",
    ("sum", "baskets"): "occasions among {rows}",
    ("min", "min"): "smallest {field} of {rows}",
    ("max", "max"): "largest {field} of {rows}",
    ("first", "first"): "{field} of the first of {rows}",
    ("last", "last"): "{field} of the last of {rows}",
    ("first", "first text"): "{field} of the first of {rows} that has one",
    ("last", "last text"): "{field} of the last of {rows} that has one",
    ("flat", "list"): "each {field} of {rows}",
    ("different", "set"): "each different {field} of {rows}",
    ("different", "identifiers"): "each different identifier of {rows}",
    ("sketch", "sketch"): "each different {field} of {rows}, counted by a sketch (standard error 1.6 %)",
    ("days", "count"): "days with {rows}",
    ("first day", "count"): "first day with {rows}",
    ("last day", "count"): "last day with {rows}",
    ("first day's", "sum"): "sum of {field} on the first day with {rows}",
    ("gaps", "count"): "days between days with {rows}",
}
"""(what is made of the days, what each day has) -> words; the others carry a number, see `_words`."""


_SCORES: dict[Grid, str] = {"rfm": "RFM scores", "rfm_engagement": "RFM scores by engagement"}


@dataclass(frozen=True)
class FeatureSheet:
    """All that is said of one feature. `made_of` are clauses, `columns` say `table.column`, `definition` is a hash."""

    info: FeatureInfo
    made_of: tuple[str, ...]
    columns: tuple[str, ...]
    window: str
    fill: float | None
    owner: str | None
    sensitivity: str
    definition: str
    used_by: tuple[str, ...]


def write_sheets(
    settings: FeatureSettings,
    used_by: Mapping[str, Iterable[str]],
    attributes: Mapping[str, AttributeRule] | None = None,
) -> list[FeatureSheet]:
    """One sheet a feature, in the order of their declaration; `used_by`: feature -> what takes it, in words;
    `attributes`: the rules of those that features name."""
    infos, defined = feature_catalogue(settings), {d.name: d for d in settings.define}
    known = {rule.sha256(): words for words, rule in shared_rules(settings).items()}
    takers = {name: list(used_by.get(name, ())) for name in infos}
    for definition in settings.define:
        for part in _parts(definition):
            takers[part].append(f"feature {definition.name}")
    sheets = []
    for name, info in infos.items():
        own = defined.get(name)
        figures, fill = _figures(settings, name)
        words = (_words(figure, known) for figure in figures)
        made = (_combined(own),) if own and own.combination else tuple(dict.fromkeys(words))
        sheets.append(
            FeatureSheet(
                info=info,
                made_of=made,
                columns=tuple(sorted({f"{f.table}.{column}" for f in figures for column in _columns(f)})),
                window=_window(figures),
                fill=fill,
                owner=settings.said_of(name).owner,
                sensitivity=settings.said_of(name).sensitivity,
                definition=settings.definition(name, attributes),
                used_by=tuple(takers[name]),
            )
        )
    return sheets


def find_users(settings: Settings) -> dict[str, list[str]]:
    """Feature -> what takes it by the configuration, in words."""
    found: dict[str, list[str]] = defaultdict(list)
    model = settings.clustering
    for name in model.features or settings.features.names():
        if name not in model.exclude:
            found[name].append("the segments' model")
    for attribute, how in model.attributes.items():
        if how.target:
            found[how.target].append(f"the segments' model, as the mean of people with the same {attribute}")
    if model.transform.cohorts and model.transform.cohorts.feature:
        found[model.transform.cohorts.feature].append("the cohorts within which features count")
    conditions = [
        ("the segments' scope", settings.segments.scope),
        ("whom a model is always fitted on", model.always_in),
    ]
    conditions += [(f"segment rule {rule.name}", rule.when) for rule in settings.segments.rules]
    for words, bounds in conditions:
        for name in dict.fromkeys(bound.feature for bound in bounds):
            found[name].append(words)
    for grid, scored in settings.features.grids.items():
        for name in dict.fromkeys(scored.features.values()):
            found[name].append(_SCORES[grid])
    for audience in settings.audiences:
        for name in {rule.feature for _, rule in audience.who.walk("who") if rule.feature}:
            found[name].append(f"audience {audience.name}")
    return found


def shared_rules(settings: FeatureSettings) -> dict[str, Rule]:
    """What the shipped features call the rows of which many of them are made."""
    source = Source.of(settings, _ANY_DAY)
    rules = {"purchases": source.bought, "returns": source.returned, "purchases and returns": source.purchases}
    return {**rules, **({"what the person did": settings.activity} if settings.activity else {})}


def _figures(settings: FeatureSettings, name: str) -> tuple[list[Figure], float | None]:
    """What one feature asks for, of itself and through the features that it is made of, and what fills its gaps."""
    own = next((d for d in settings.define if d.name == name), None)
    mix = next((m for m in settings.mixes if name in m.columns()), None)
    journey = settings.journeys.only(name) if settings.journeys and name in settings.journeys.names else None
    changes: dict[str, object] = {"mixes": [mix] if mix else [], "journeys": journey, "define": [own] if own else []}
    changes["library"] = [] if own or mix or journey else [name]
    source = Source.of(settings.model_copy(update=changes), _ANY_DAY)
    (feature,) = (feature for feature in compile_features(source) if feature.name == name)
    parts = [figure for part in _parts(own) for figure in _figures(settings, part)[0]] if own else []
    asked = (source.events, source.sessions, source.journeys, source.attributes)
    return [*(figure for figures in asked for figure in figures.figures), *parts], feature.fill


def _parts(definition: FeatureDefinition) -> list[str]:
    return [part for part in (definition.combination or ("", []))[1] if isinstance(part, str)]


def _combined(definition: FeatureDefinition) -> str:
    assert definition.combination is not None, "only combinations are put so"
    kind, parts = definition.combination
    sign = {"ratio": " ÷ ", "difference": " − ", "total": " + ", "product": " × "}[kind]
    return sign.join(part if isinstance(part, str) else f"{part:g}" for part in parts)


def _words(figure: Figure, known: Mapping[str, str]) -> str:
    if figure.where is None:
        rows = str(figure.table)
    else:
        rows = known.get(figure.where.sha256()) or f"{figure.table} of which {describe_row(figure.where)}"
    field = "their weights" if figure.field.startswith(WEIGHTS) else f"“{figure.field}”"
    what, _, number = figure.over_days.rpartition(" ")
    if figure.over_days == "spread":
        counted = "the rows" if figure.of_a_day == "counts" else f"“{figure.of_a_day.split()[1]}”"
        said = f"{counted} of {rows} by {field}"
    elif what in ("decayed", "tilt"):
        summed = f"number of {rows}" if figure.of_a_day == "count" else f"sum of {field} of {rows}"
        ending = f", half as much after each {float(number):g} days" if what == "decayed" else ", week by week"
        said = summed + ending
    elif what == "periods":
        said = f"periods of {number} days with {rows}"
    elif what == "first-period":
        said = f"sum of {field} in the first period of {number} days with {rows}"
    elif figure.over_days == "journeys":
        kind, _, steps = figure.of_a_day.partition(" ")
        said = f"how often the last followed of {steps}" if kind == "follows" else f"journeys with {steps}"
    elif figure.over_days == "attribute":
        said = field if figure.where is None else f"whether {describe_row(figure.where)}"
        said = f"{said}, as events had said it by the date"
    elif what == "unanswered":
        said = f"{rows} that nothing followed"
    else:
        said = _MADE[figure.over_days, figure.of_a_day].format(rows=rows, field=field)
    if figure.last is not None:
        said = f"{said}, among the last {figure.last} {figure.table}"
    return said if figure.window is None else f"{said}, in the last {figure.window} days"


def _columns(figure: Figure) -> Iterator[str]:
    if figure.field.startswith(WEIGHTS):
        yield "event_name"
    elif figure.field and figure.over_days.partition(" ")[0] != "unanswered":
        yield figure.field
    if weight := figure.of_a_day.partition("pairs ")[2]:
        yield weight
    if figure.of_a_day == "baskets":
        yield "session_key"
    if figure.table != "persons":
        yield "event_date" if figure.table == "events" else "session_start"
    if figure.where is not None:
        yield from rule_fields(figure.where)


def _window(figures: Iterable[Figure]) -> str:
    figures = list(figures)
    if lasts := {figure.last for figure in figures if figure.last is not None}:
        return f"last {max(lasts)} sessions"
    windows = {figure.window for figure in figures}
    longest = max((window for window in windows if window is not None), default=None)
    return "all days" if None in windows or longest is None else f"last {longest} days"
