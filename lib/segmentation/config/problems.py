"""Validation errors in the words of the person who wrote the file."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from segmentation.contracts.errors import Problem


def explain(error: ValidationError, root: type[BaseModel]) -> list[Problem]:
    """Each error of pydantic as key path, value, what is wrong, and the key or value that was probably meant."""
    problems: dict[tuple[str, str], Problem] = {}
    for detail in error.errors(include_url=False):
        location = [part for part in detail["loc"] if not _is_union_branch(part)]
        key = ".".join(map(str, location)) or "(the file)"
        match detail["type"]:
            case "extra_forbidden":
                known = _known_keys(root, location[:-1])
                near = next(iter(get_close_matches(str(location[-1]), known, 1, 0.5)), None)
                problem = Problem(key, "unknown key", suggestion=near)
            case "missing":
                problem = Problem(key, "is missing")
            case "literal_error":
                allowed = [part.strip(" '") for part in detail["ctx"]["expected"].replace(" or ", ",").split(",")]
                near = next(iter(get_close_matches(str(detail["input"]), allowed, 1)), None)
                problem = Problem(key, f"must be one of {', '.join(allowed)}", detail["input"], near)
            case "value_error":
                problem = Problem(key, str(detail["ctx"]["error"]))
            case _:
                text = detail["msg"][0].lower() + detail["msg"][1:]
                problem = Problem(key, text, None if isinstance(detail["input"], dict) else detail["input"])
        problems[problem.key, problem.message] = problem
    return list(problems.values())


def _is_union_branch(part: str | int) -> bool:
    """Pydantic puts the tried branch of a union into the location; it is no key of the file."""
    return isinstance(part, str) and (part in {"str", "int", "float", "bool"} or "[" in part)


def _known_keys(model: Any, location: list[str | int]) -> list[str]:
    """The keys that the model at `location` has; none where the location is not a section."""
    current = model
    for part in location:
        sections = _sections(current)
        fields = sections[0].model_fields if len(sections) == 1 else {}
        if isinstance(part, str) and part in fields:
            current = fields[part].annotation
        elif not sections:
            return []
    return sorted(name for section in _sections(current) for name in section.model_fields)


def _sections(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for argument in get_args(annotation) for section in _sections(argument)]
