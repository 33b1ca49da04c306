"""All that is held on one person, as JSON for that person to read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from pyspark.sql import functions as F

from segmentation.config.settings import Settings
from segmentation.contracts.catalogue import CATALOGUE
from segmentation.contracts.errors import ConfigError
from segmentation.identity.lookup import Identifier, find_person
from segmentation.privacy.audit import Act
from segmentation.privacy.data_map import DATA_MAP
from segmentation.privacy.holdings import IDENTIFIER, Subjects, carried, own_rows
from segmentation.runtime.audit import audit
from segmentation.runtime.warehouse import Warehouse


def hand_over(warehouse: Warehouse, settings: Settings, asked: Identifier, file: Path, now: datetime) -> int:
    """Writes all that is held on whoever has an identifier to `file`, after the audit log says so; returns how many
    rows. Raises `InputError` where nobody has it, `ConfigError` where the file cannot be written."""
    person_id = find_person(warehouse.read("identity_map"), settings.identity, *asked)
    with warehouse.lock():
        audit(warehouse, [Act("access", "one person", now, {"identifier_type": asked[0]})])
        return write_holdings(warehouse, settings, person_id, file)


def write_holdings(warehouse: Warehouse, settings: Settings, person_id: str, file: Path) -> int:
    """Writes one person's rows of every table of the data map to `file`, which only the user may read; returns how
    many rows. Raises `ConfigError` where it cannot be written.

    Tokens are put back into clear. The rows are streamed, a line each: a person may have many events.
    """
    aside = file.with_name(f".{file.name}.part")
    try:
        aside.unlink(missing_ok=True)
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            rows = 0
            out.write('{\n"person_id": ' + json.dumps(person_id))
            for name, lines in _tables(warehouse, settings, person_id):
                out.write(f',\n"{name}": [')
                written = 0
                for line in lines:
                    out.write(f"{',' * (written > 0)}\n  {line}")
                    written += 1
                out.write("\n]" if written else "]")
                rows += written
            out.write("\n}\n")
        aside.replace(file)
    except OSError as error:
        raise ConfigError(f"--dest: the file cannot be written ({type(error).__name__}).") from None
    finally:
        aside.unlink(missing_ok=True)
    return rows


def _tables(warehouse: Warehouse, settings: Settings, person_id: str) -> Iterator[tuple[str, Iterator[str]]]:
    """Each table that can hold something on a person, with the rows of this one as JSON, in order of the keys."""
    trust = list(settings.identity.identifiers)
    people = warehouse.spark.createDataFrame([(person_id,)], "person_id string")
    owned = warehouse.read("identity_map").join(F.broadcast(people), "person_id", "left_semi")
    subjects = Subjects(people, owned.select(*IDENTIFIER).localCheckpoint())
    known = subjects
    if describing := settings.identity.describing:
        events = own_rows(warehouse.read_or_empty("events"), DATA_MAP["events"], subjects, trust)
        said = carried(events, "identifiers", describing)
        known = Subjects(people, subjects.identifiers.unionByName(said))
    vault = own_rows(warehouse.read_or_empty("vault"), DATA_MAP["vault"], known, trust)
    clear = {f'"{row["token"]}"': json.dumps(row["value"], ensure_ascii=False) for row in vault.collect()}
    for name, held in DATA_MAP.items():
        if held.nothing or not warehouse.exists(name):
            continue
        rows = own_rows(warehouse.read(name), held, subjects, trust)
        in_order = rows.repartition(1).sortWithinPartitions(*CATALOGUE[name].keys)
        lines = in_order.select(F.to_json(F.struct("*"))).toLocalIterator()
        yield name, (_in_clear(row[0], clear) for row in lines)


def _in_clear(line: str, clear: dict[str, str]) -> str:
    for token, value in clear.items():
        line = line.replace(token, value)
    return line
