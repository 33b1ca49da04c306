"""The reference of the configuration, made from its models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_HEAD = """# Configuration

Every key of the YAML file, made from the models in `lib/segmentation/config` by `scripts/docs`. `*` stands for a name
or a number. A key without a default must be given. [example.yml](example.yml) shows them at work; `--set
key.path=value` overrides one.
"""


def render_reference(root: type[BaseModel]) -> str:
    """Markdown: a table of keys for each section of `root`."""
    parts = [_HEAD]
    for title, rows in _tables(root):
        parts += [f"\n## {title}\n\n| key | takes | default | meaning |\n| --- | --- | --- | --- |\n", *rows]
    return "".join(parts)


def _tables(root: type[BaseModel]) -> Iterator[tuple[str, list[str]]]:
    singles = [_row(name, field) for name, field in root.model_fields.items() if not _models(field.annotation)]
    yield "top level", singles
    for name, field in root.model_fields.items():
        if _models(field.annotation):
            yield f"`{name}`", list(_rows(name, field, ()))


def _rows(path: str, field: FieldInfo, above: tuple[type[BaseModel], ...]) -> Iterator[str]:
    inside = _below(path, field.annotation)
    for model in _models(field.annotation):
        if model in above:
            continue
        for name, child in model.model_fields.items():
            key = f"{inside}.{child.alias or name}"
            yield _row(key, child)
            yield from _rows(key, child, (*above, model))


def _below(path: str, annotation: Any) -> str:
    """`path`, with a `*` for each list or mapping that stands between it and the section's own keys."""
    container = get_origin(annotation)
    if container in (list, dict):
        return _below(f"{path}.*", get_args(annotation)[-1])
    for argument in get_args(annotation):
        if _models(argument):
            return _below(path, argument)
    return path


def _row(key: str, field: FieldInfo) -> str:
    cells = (f"`{key}`", _takes(field), _default(field), (field.description or "").replace("|", "\\|"))
    return "| " + " | ".join(cells) + " |\n"


def _takes(field: FieldInfo) -> str:
    limits = [_limit(mark) for mark in field.metadata]
    return " ".join([_kind(field.annotation), *filter(None, limits)])


def _kind(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{argument}`" for argument in arguments)
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    if origin is dict:
        return f"name: {_kind(arguments[1])}"
    if arguments and hasattr(annotation, "__metadata__"):
        return _kind(arguments[0])
    if arguments:
        return " or ".join(dict.fromkeys(_kind(argument) for argument in arguments if argument is not type(None)))
    if _models(annotation):
        return "keys below"
    return {str: "text", int: "whole number", float: "number", bool: "true, false"}.get(annotation, "value")


def _limit(mark: Any) -> str:
    for kind, sign, name in ((Ge, "≥", "ge"), (Gt, ">", "gt"), (Le, "≤", "le"), (Lt, "<", "lt")):
        if isinstance(mark, kind):
            return f"{sign} {getattr(mark, name)}"
    return ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True) if not field.is_required() else PydanticUndefined
    if value is PydanticUndefined:
        return "**required**"
    if value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (list, tuple, dict)) and not value:
        return "none"
    if isinstance(value, (list, tuple)) and any(isinstance(item, BaseModel) for item in value):
        return f"{len(value)} built in"
    if isinstance(value, (list, tuple)):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found = [model for argument in get_args(annotation) for model in _models(argument)]
    return list(dict.fromkeys(found))
