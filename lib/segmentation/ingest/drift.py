"""What of a source's columns is not as it was in its batch before."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql.types import StructType

from segmentation.contracts.errors import InputError
from segmentation.ingest.kinds import TEXT


def find_changes(before: str, now: str) -> list[str]:
    """One clause a column that is new, gone or retyped; both schemas are DDL. Order of columns is no change."""
    if before == now:
        return []
    then, found = _types(before), _types(now)
    return [
        *(f"'{name}' is new" for name in sorted(found.keys() - then.keys())),
        *(f"'{name}' is gone" for name in sorted(then.keys() - found.keys())),
        *(
            f"'{name}' is {found[name]} and was {then[name]}"
            for name in sorted(found.keys() & then.keys())
            if found[name] != then[name]
        ),
    ]


def find_retyped(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """One clause a column whose values were of a kind (`find_kinds`) and are not any more. What was text and looks like
    numbers for once is no change."""
    return [
        f"'{name}' is {now[name]} and was {before[name]}"
        for name in sorted(before.keys() & now.keys())
        if before[name] not in (TEXT, now[name])
    ]


def _types(ddl: str) -> dict[str, str]:
    schema = StructType.fromDDL(ddl)
    assert isinstance(schema, StructType), "columns with their types are a struct"
    return {field.name: field.dataType.simpleString() for field in schema}


def refuse_changes(source: str, changes: list[str]) -> None:
    """Raises `InputError`: the source's policy takes no batch with other columns."""
    raise InputError(
        f"Source '{source}': its columns are not those of its batch before ({', '.join(changes)}), and schema_changes "
        "says refuse; nothing of this batch was taken in. Repair the files, or say `schema_changes: warn` for one run."
    )
