"""`consent`: which events say yes or no to what. Who never said yes has said no."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from segmentation.config.exports import ExportSettings
from segmentation.config.model import Name, Section
from segmentation.config.rules import Rule, check_rule, field_kind
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


def check_purposes(raw: Mapping[str, Any]) -> list[Problem]:
    """Purposes of the exports of a configuration file that nobody could ever grant.

    What is malformed in itself is reported by its own model, so nothing is said of it here.
    """
    try:
        rules = TypeAdapter(list[ConsentRule]).validate_python(raw.get("consent") or [])
        exports = TypeAdapter(list[ExportSettings]).validate_python(raw.get("exports") or [])
    except ValidationError:
        return []
    if any(rule.purpose_field for rule in rules):
        return []
    known = sorted({rule.purpose for rule in rules if rule.purpose})
    return [
        Problem(
            f"exports.{number}.purpose",
            f"no rule under `consent` is about '{export.purpose}', so nobody could be delivered",
            suggestion=next(iter(get_close_matches(export.purpose, known, 1)), None),
        )
        for number, export in enumerate(exports)
        if export.purpose is not None and export.purpose not in known
    ]
