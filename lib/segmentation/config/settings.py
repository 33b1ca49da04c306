"""The whole configuration: reading it, overriding single values, and reporting all of its problems at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, field_validator

from segmentation.config.clustering import ClusteringSettings
from segmentation.config.exports import ExportSettings
from segmentation.config.features import FeatureSettings
from segmentation.config.identity import IdentitySettings
from segmentation.config.model import Section
from segmentation.config.paths import resolve
from segmentation.config.problems import explain
from segmentation.config.segments import SegmentSettings
from segmentation.config.sessions import SessionSettings
from segmentation.config.sources import Source
from segmentation.config.spark import SparkSettings
from segmentation.contracts.errors import ConfigError, Problem


class Settings(Section):
    """Everything that a run is told."""

    warehouse: str = Field(description="A folder or object-store URI for the tables, or `catalog.schema`.")
    sources: list[Source] = Field(min_length=1, description="Where events come from.")
    identity: IdentitySettings = Field(description="How identifiers become persons.")
    sessions: SessionSettings = Field(SessionSettings(), description="How a person's events are cut into sessions.")
    features: FeatureSettings = Field(FeatureSettings(), description="What is measured of each person.")
    clustering: ClusteringSettings = Field(ClusteringSettings(), description="How segments are found.")
    segments: SegmentSettings = Field(SegmentSettings(), description="How versions are assigned and published.")
    exports: list[ExportSettings] = Field([], description="Where published segments are delivered.")
    spark: SparkSettings = Field(SparkSettings(), description="How Spark is started in local mode.")

    @field_validator("sources", "exports")
    @classmethod
    def _names_differ(cls, parts: list[Any]) -> list[Any]:
        names = [part.name for part in parts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"the name {', '.join(map(repr, twice))} is used twice")
        return parts


def load_settings(path: str | Path, overrides: Sequence[str] = (), base: Path | None = None) -> Settings:
    """Reads and checks a configuration file.

    `overrides` are `key.path=value` (the value is YAML; a list item is named by its number or its `name`).
    Relative paths count from `base`, by default the current folder. Raises `ConfigError` with every problem found.
    """
    raw = _read(Path(path))
    for override in overrides:
        _override(raw, override)
    problems = _undeclared_identifiers(raw)
    try:
        settings = Settings.model_validate(raw)
    except ValidationError as error:
        raise ConfigError([*explain(error, Settings), *problems]) from None
    if problems:
        raise ConfigError(problems)
    return resolve(settings, base or Path.cwd())


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"There is no configuration file '{path}': give one with --config, starting from conf/example.yml."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration file '{path}' cannot be read ({type(error).__name__}).") from None
    try:
        raw = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise ConfigError(f"The configuration file '{path}' is not valid YAML{where}: {problem}.") from None
    if not isinstance(raw, dict):
        raise ConfigError(
            f"The configuration file '{path}' must hold keys such as warehouse: and sources:, see conf/example.yml."
        )
    return raw


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, (str, int, float, bool)):
                if key in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key '{key}' stands twice", problem_mark=key_node.start_mark
                    )
                seen.add(key)
        return super().construct_mapping(node, deep)


def _override(raw: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    keys = [key for key in path.strip().split(".") if key]
    if not equals or not keys:
        raise ConfigError(f"--set takes key.path=value, not '{override}'.")
    try:
        value = yaml.safe_load(text) if text else None
    except yaml.YAMLError:
        value = text
    target: Any = raw
    for key in keys[:-1]:
        if isinstance(target, dict) and target.get(key) is None:
            target[key] = {}
        target = _item(target, key, override)
    last = keys[-1]
    if isinstance(target, dict):
        target[last] = value
    elif isinstance(target, list):
        target[_position(target, last, override)] = value
    else:
        raise ConfigError(f"--set {override}: '{keys[-2]}' holds a single value, not keys.")


def _item(target: Any, key: str, override: str) -> Any:
    if isinstance(target, dict):
        return target[key]
    if isinstance(target, list):
        return target[_position(target, key, override)]
    raise ConfigError(f"--set {override}: there is nothing below '{key}'.")


def _position(items: list[Any], key: str, override: str) -> int:
    names = [item.get("name") for item in items if isinstance(item, dict)]
    if key in names:
        return names.index(key)
    if key.isdigit() and int(key) < len(items):
        return int(key)
    raise ConfigError(
        f"--set {override}: the list has no item '{key}' (0 to {len(items) - 1}, or {', '.join(map(str, names))})."
    )


def _undeclared_identifiers(raw: Mapping[str, Any]) -> list[Problem]:
    """Identifier types that a source maps and `identity.identifiers` does not know."""
    try:
        known = list(raw["identity"]["identifiers"])
        used = [
            (f"sources.{number}.columns.identifiers.{kind}", kind)
            for number, source in enumerate(raw["sources"])
            for kind in source["columns"]["identifiers"]
        ]
    except (KeyError, TypeError):
        return []
    return [
        Problem(
            key,
            f"the identifier type '{kind}' is not declared under identity.identifiers",
            suggestion=next(iter(get_close_matches(str(kind), known, 1)), None),
        )
        for key, kind in used
        if kind not in known
    ]
