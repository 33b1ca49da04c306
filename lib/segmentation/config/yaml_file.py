"""Reading a YAML file, and overriding single values of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from segmentation.contracts.errors import ConfigError


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys of a YAML file. Raises `ConfigError` where it is not there, cannot be read, or says a key twice."""
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
    except RecursionError:
        raise ConfigError(f"The configuration file '{path}' has keys too deep in each other to be read.") from None
    if not isinstance(raw, dict):
        raise ConfigError(
            f"The configuration file '{path}' must hold keys such as warehouse: and sources:, see conf/example.yml."
        )
    return raw


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML would silently keep the last. `on`, `off`, `yes` and `no` are
    words, as YAML 1.2 has it, and no booleans: `on` is a key of a lookup."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - what PyYAML calls it on every loader
        first: [
            (tag, re.compile("^(?:true|True|TRUE|false|False|FALSE)$") if tag == "tag:yaml.org,2002:bool" else pattern)
            for tag, pattern in resolvers
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

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


def override_value(raw: dict[str, Any], override: str) -> None:
    """Sets one value in `raw`, as `key.path=value` says (a list item by its number or `name`). Raises `ConfigError`."""
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
