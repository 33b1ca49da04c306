"""`consent`: which events say yes or no to what. Who never said yes has said no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from segmentation.config.audiences import AudienceSettings
from segmentation.config.exports import ExportSettings
from segmentation.config.model import Name, Section
from segmentation.config.rules import Rule, check_rule, field_kind
from segmentation.config.segments import SegmentSettings
from segmentation.contracts.errors import Problem


class ConsentRule(Section):
    """Events that are statements on a purpose."""

    purpose: Name | None = Field(None, description="What they are about, such as `marketing`.")
    purpose_field: str | None = Field(
        None, description="Instead: the field that says what each is about, such as `properties.purpose`."
    )
    grants: Rule | None = Field(None, description="Events that say yes.")
    withdraws: Rule | None = Field(None, description="Events that say no; one that meets both says no.")

    @model_validator(mode="after")
    def _is_whole(self) -> ConsentRule:
        if (self.purpose is None) == (self.purpose_field is None):
            raise ValueError("needs exactly one of purpose and purpose_field")
        if self.purpose_field is not None and field_kind(self.purpose_field, "events") != "text":
            raise ValueError(f"purpose_field must be a text field of events, and '{self.purpose_field}' is none")
        if self.grants is None and self.withdraws is None:
            raise ValueError("needs grants, withdraws or both")
        for rule in (self.grants, self.withdraws):
            if rule is not None and (problem := check_rule(rule, "events")):
                raise ValueError(problem)
        return self


class GlobalPrivacyControl(Section):
    """The signal by which a browser says, with every request, that its user's data must be neither sold nor shared
    (https://globalprivacycontrol.org; binding in California, CCPA regulations § 7025)."""

    property: Name = Field(
        description="The property of events that carries it, from the header `Sec-GPC` or `navigator`'s flag: `1` or "
        "`true` is the signal, anything else is none."
    )
    purposes: list[Name] = Field(
        ["sale", "sharing"], min_length=1, description="What the signal says no to; see `consent`."
    )


def check_purposes(raw: Mapping[str, Any]) -> list[Problem]:
    """Purposes of the segments, audiences and exports of a configuration file that nobody could ever grant, or refuse.

    What is malformed in itself is reported by its own model, so nothing is said of it here.
    """
    try:
        rules = TypeAdapter(list[ConsentRule]).validate_python(raw.get("consent") or [])
        audiences = TypeAdapter(list[AudienceSettings]).validate_python(raw.get("audiences") or [])
        exports = TypeAdapter(list[ExportSettings]).validate_python(raw.get("exports") or [])
        segments = SegmentSettings.model_validate(raw.get("segments") or {})
        control = TypeAdapter(GlobalPrivacyControl | None).validate_python(raw.get("global_privacy_control"))
    except ValidationError:
        return []
    if any(rule.purpose_field for rule in rules):
        return []
    known = sorted({rule.purpose for rule in rules if rule.purpose and rule.grants})
    refused = sorted({rule.purpose for rule in rules if rule.purpose and rule.withdraws} | {*_said_no_to(control)})
    asking = [("segments.purpose", segments.purpose)]
    asking += [(f"audiences.{number}.purpose", audience.purpose) for number, audience in enumerate(audiences)]
    asking += [
        (f"{key}.granted", rule.granted)
        for number, audience in enumerate(audiences)
        for key, rule in audience.who.walk(f"audiences.{number}.who")
    ]
    asking += [(f"exports.{number}.purpose", export.purpose) for number, export in enumerate(exports)]
    never = [
        Problem(
            key,
            f"no rule under `consent` grants '{purpose}', so nobody could ever have said yes to it",
            suggestion=next(iter(get_close_matches(purpose, known, 1)), None),
        )
        for key, purpose in asking
        if purpose is not None and purpose not in known
    ]
    return never + [
        Problem(
            f"exports.{number}.unless_refused.{place}",
            f"no rule under `consent` withdraws '{purpose}', and no signal says no to it, so nobody would be left out",
            suggestion=next(iter(get_close_matches(purpose, refused, 1)), None),
        )
        for number, export in enumerate(exports)
        for place, purpose in enumerate(export.unless_refused or ())
        if purpose not in refused
    ]


def _said_no_to(control: GlobalPrivacyControl | None) -> Sequence[str]:
    return control.purposes if control else ()


def check_signal(raw: Mapping[str, Any]) -> list[Problem]:
    """A property said to carry Global Privacy Control signals that no source maps: nobody would ever be opted out."""
    try:
        carrier = raw["global_privacy_control"]["property"]
        mapped = sorted({name for source in raw["sources"] for name in source["columns"].get("properties") or {}})
    except (KeyError, TypeError, AttributeError):
        return []
    if carrier in mapped:
        return []
    near = next(iter(get_close_matches(str(carrier), mapped, 1)), None)
    text = f"no source maps a property '{carrier}' under columns.properties"
    return [Problem("global_privacy_control.property", text, suggestion=near)]
