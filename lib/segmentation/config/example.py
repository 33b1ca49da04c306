"""conf/example.yml, made from the models: every key with its meaning, the optional ones commented out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from segmentation.config.settings import Settings

_HEAD = """\
# A configuration with every key. Those that stand in a comment are optional, and show their default.
# Copy it, say where your events are, take out what you do not need. Then:
#   segmentation doctor --config my.yml
#   segmentation run --config my.yml
"""

_WIDTH = 110

EXAMPLE: dict[str, Any] = {
    "warehouse": "./warehouse",
    "sources": [
        {
            "name": "web",
            "format": "parquet",
            "path": "data/web/*.parquet",
            "columns": {
                "event_id": "id",
                "event_name": "event",
                "event_ts": "to_timestamp(ts)",
                "received_ts": "to_timestamp(received_at)",
                "platform": "'web'",
                "session_key": "session_id",
                "amount": "price * quantity",
                "currency": "'USD'",
                "identifiers": {"user_id": "uid", "cookie": "anon_id"},
                "properties": {"page": "url", "gpc": "sec_gpc"},
            },
            "rules": [{"column": "amount", "events": ["purchase"], "required": True, "min": 0}],
        },
    ],
    "identity": {"identifiers": {"user_id": {"max_per_person": 1}, "cookie": {}}},
    "features": {
        "define": [
            {
                "name": "visits_to_help",
                "aggregate": "count",
                "where": {"field": "properties.page", "starts_with": "/help"},
                "window_days": 90,
                "label": "help pages read",
            }
        ],
    },
    "consent": [
        {
            "purpose": "marketing",
            "grants": {"event": "newsletter_joined"},
            "withdraws": {"event": "newsletter_left"},
        }
    ],
    "global_privacy_control": {"property": "gpc"},
    "audiences": [
        {
            "name": "left_their_cart",
            "who": {
                "all": [
                    {"did": {"event": "add_to_cart"}, "then_not": {"event": "purchase"}, "within_hours": 24},
                    {"feature": "frequency", "at_least": 2},
                ]
            },
        }
    ],
    "exports": [{"name": "crm"}],
}
"""What the example says; the rest of it are the models' own defaults and descriptions."""


def render_example() -> str:
    """The file's text."""
    return "\n".join([_HEAD.rstrip(), *_section(Settings, EXAMPLE, 0)]) + "\n"


def _section(model: type[BaseModel], given: Mapping[str, Any], indent: int) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = field.alias or name
        if indent == 0:
            yield ""
        yield from _comment(field.description or "", indent)
        if key in given:
            yield from _given(key, field, given[key], indent)
        else:
            yield from _left_out(key, field, indent)


def _given(key: str, field: FieldInfo, value: Any, indent: int) -> Iterator[str]:
    model, container = _model(field.annotation), get_origin(field.annotation)
    pad = " " * indent
    if model is None or _is_recursive(model):
        yield f"{pad}{key}: {_inline(value)}"
    elif container is list:
        yield f"{pad}{key}:"
        for item in value:
            first, *others = _section(model, item, indent + 4)
            yield f"{pad}  - {first.lstrip()}"
            yield from others
    elif container is dict:
        yield f"{pad}{key}:"
        for number, (name, item) in enumerate(value.items()):
            if number or not item:
                yield f"{pad}  {name}: {_inline(item)}"
            else:
                yield f"{pad}  {name}:"
                yield from _section(model, item, indent + 4)
    else:
        yield f"{pad}{key}:"
        yield from _section(model, value, indent + 2)


def _left_out(key: str, field: FieldInfo, indent: int) -> Iterator[str]:
    default = field.get_default(call_default_factory=True)
    pad = " " * indent
    if isinstance(default, BaseModel) and not _is_recursive(type(default)):
        yield f"{pad}{key}:"
        yield from _section(type(default), {}, indent + 2)
    else:
        plain = default.model_dump(mode="json", exclude_none=True) if isinstance(default, BaseModel) else default
        yield from textwrap.wrap(
            f"{key}: {_inline(plain)}", _WIDTH, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}#   "
        )


def _comment(text: str, indent: int) -> Iterator[str]:
    prefix = " " * indent + "# "
    yield from textwrap.wrap(text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix)


def _inline(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model, get_args(annotation))), None)


def _is_recursive(model: type[BaseModel]) -> bool:
    return any(_model(field.annotation) is model for field in model.model_fields.values())
