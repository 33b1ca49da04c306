"""The reference of the configuration, made from its models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
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
    for title, rows in (*_tables(root), *_trees(root)):
        parts += [f"\n## {title}\n\n| key | takes | default | meaning |\n| --- | --- | --- | --- |\n", *rows]
    return "".join(parts)


def _tables(root: type[BaseModel]) -> Iterator[tuple[str, list[str]]]:
    singles = [_row(name, field) for name, field in root.model_fields.items() if not _models(field.annotation)]
    yield "top level", singles
    for name, field in root.model_fields.items():
        if _models(field.annotation):
            yield f"`{name}`", list(_rows(name, field))


def _trees(root: type[BaseModel]) -> Iterator[tuple[str, list[str]]]:
    """What may stand in itself, as conditions do, is told once, wherever it stands."""
    for model in sorted(filter(_is_tree, _all_below(root)), key=_title):
        rows = [_row(child.alias or name, child) for name, child in model.model_fields.items()]
        yield _title(model), rows


def _rows(path: str, field: FieldInfo) -> Iterator[str]:
    inside = _below(path, field.annotation)
    for model in _models(field.annotation):
        if _is_tree(model):
            continue
        for name, child in model.model_fields.items():
            key = f"{inside}.{child.alias or name}"
            yield _row(key, child)
            yield from _rows(key, child)


def _is_tree(model: type[BaseModel]) -> bool:
    return model in _all_below(model)


def _all_below(model: type[BaseModel]) -> set[type[BaseModel]]:
    found, left = set[type[BaseModel]](), [model]
    while left:
        for field in left.pop().model_fields.values():
            new = set(_models(field.annotation)) - found
            found |= new
            left += new
    return found


def _title(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").partition(".")[0]


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
    if {bool, int, float, str} <= set(arguments):
        return "value"
    if arguments:
        return " or ".join(dict.fromkeys(_kind(argument) for argument in arguments if argument is not type(None)))
    if models := _models(annotation):
        trees = [
            f"[{_title(model).lower()}](#{_title(model).lower().replace(' ', '-')})"
            for model in filter(_is_tree, models)
        ]
        return " or ".join(trees) or "keys below"
    named = {str: "text", int: "whole number", float: "number", bool: "true, false", date: "date", datetime: "time"}
    return named.get(annotation, "value")


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
