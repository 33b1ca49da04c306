"""Every feature of a configuration in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from segmentation.config.feature_definition import FeatureDefinition
from segmentation.config.feature_library import IN_PERIODS, LibraryName
from segmentation.config.features import FeatureSettings
from segmentation.config.journeys import END, JourneySettings
from segmentation.config.mixes import Mix
from segmentation.contracts.feature_info import FeatureInfo
from segmentation.features.words import WORDS


def feature_catalogue(settings: FeatureSettings) -> dict[str, FeatureInfo]:
    """Name -> what people are told about it, in the order of the columns."""
    infos = [_library_info(name, settings.clv_period_days) for name in settings.library]
    infos += [info for mix in settings.mixes for info in _mix_infos(mix)]
    infos += _journey_infos(settings.journeys) if settings.journeys else []
    infos += [_definition_info(definition) for definition in settings.define]
    return {info.name: _said_otherwise(info, settings) for info in infos}


def _said_otherwise(info: FeatureInfo, settings: FeatureSettings) -> FeatureInfo:
    """With the words that the configuration has for it in place of its own."""
    own = settings.words.get(info.name)
    said = own.model_dump(exclude={"owner", "sensitivity"}, exclude_none=True) if own else {}
    return replace(info, **said)


def _library_info(name: LibraryName, period_days: int) -> FeatureInfo:
    info = WORDS[name]
    if period_days == 1 or name not in IN_PERIODS:
        return info
    texts = (info.label, info.unit, info.description)
    label, unit, said = (text.replace("Days", "Periods").replace("day", "period") for text in texts)
    return replace(info, label=label, unit=unit, description=f"{said} Periods are of {period_days} days.")


def _definition_info(definition: FeatureDefinition) -> FeatureInfo:
    label = definition.label or definition.name.replace("_", " ")
    shared = definition.aggregate in ("share", "top_share")
    return FeatureInfo(
        name=definition.name,
        label=label,
        unit=definition.unit if definition.unit is not None else ("share" if shared else ""),
        description=definition.description or f"{label[:1].upper()}{label[1:]}.",
        family=definition.family or definition.name,
        high=definition.high or f"high {label}",
        low=definition.low or f"low {label}",
        phrase=definition.phrase or "",
    )


def _journey_infos(journeys: JourneySettings) -> Iterator[FeatureInfo]:
    for name, kind, gram in journeys.declared:
        steps, last, before = (" → ".join(part) for part in (gram, gram[-1:], gram[:-1]))
        if kind == "contains":
            yield FeatureInfo(
                name=name,
                label=f"journeys with {steps}",
                unit="share",
                description=f"Share of the person's journeys in which these steps stand in a row: {steps}.",
                family=f"journey {last}",
                high=f"high “{steps}”",
                low=f"low “{steps}”",
                phrase=f"go {steps} in {{value}} of their journeys",
            )
        else:
            left = gram[-1] == END
            yield FeatureInfo(
                name=name,
                label=f"leaving after {before}" if left else f"{last} after {before}",
                unit="share",
                description=f"Of the times that the person did {before}, the share "
                + ("that ended the journey without the target." if left else f"that {last} came next."),
                family=f"journey {last}",
                high=f"high “{before} → {last}”",
                low=f"low “{before} → {last}”",
                phrase=f"{'leave' if left else f'go on to {last}'} after {before} {{value}} of the time",
            )


def _mix_infos(mix: Mix) -> list[FeatureInfo]:
    what = "amount" if mix.of == "amount" else mix.table
    label, row = mix.name.replace("_", " "), mix.table.removesuffix("s")
    if mix.touch:
        return [
            FeatureInfo(
                name=mix.column(value),
                label=f"{label} {value.lower()}",
                unit="share",
                description=f"1 where the {mix.touch} {row} that says {mix.field} says {value}, else 0.",
                family=mix.name,
                high=f"{value.lower()}-{'acquired' if mix.touch == 'first' else 'returning'}",
                low=f"not-{value.lower()}",
                phrase=f"{mix.touch} came by {value.lower()} in {{value}} of cases",
            )
            for value in mix.values
        ]
    infos = [
        FeatureInfo(
            name=mix.column(value),
            label=f"{value.lower()} share",
            unit="share",
            description=f"Share of the {what} that falls on {label} {value}.",
            family=mix.name,
            high=f"{value.lower()}-heavy",
            low=f"{value.lower()}-light",
            phrase=f"{'spend' if mix.of == 'amount' else 'have'} {{value}} on {value.lower()}",
        )
        for value in mix.values
    ]
    if mix.has_entropy:
        infos.append(
            FeatureInfo(
                name=f"{mix.name}_entropy",
                label=f"spread over {label}",
                unit="bits",
                description=f"Entropy of the {what} over {label}: 0 for one value only, 1 for two alike; values "
                "without a feature of their own count as one.",
                family=f"{mix.name} spread",
                high="broad-range",
                low="one-track",
            )
        )
    return infos
