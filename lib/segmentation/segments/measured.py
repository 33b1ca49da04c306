"""What is measured of a candidate version for its gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measured:
    """Figures by name, for `segment_versions.metrics`, and what some of them are about, for `segment_versions.about`:
    a segment, a feature, or a value of an attribute."""

    figures: Mapping[str, float] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)

    def with_names(self, names: Mapping[str, str]) -> Measured:
        """The same with names in place of the ids of segments."""
        return Measured(self.figures, {figure: names.get(what, what) for figure, what in self.about.items()})

    def __or__(self, other: Measured) -> Measured:
        return Measured({**self.figures, **other.figures}, {**self.about, **other.about})
