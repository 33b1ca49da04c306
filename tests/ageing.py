"""Making a Delta table as old as it would be after some days: nobody can wait for them."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path

_STAMPS = re.compile(r'("(?:timestamp|deletionTimestamp|modificationTime)":)(\d{13})')


def age_table(folder: Path, by: timedelta) -> None:
    """Dates all commits and files of a table back, as if each had been made so much earlier."""
    back = int(by.total_seconds() * 1000)
    made = {file: file.stat().st_mtime for file in folder.rglob("*")}
    for commit in (folder / "_delta_log").glob("*.json"):
        text = commit.read_text(encoding="utf-8")
        commit.write_text(_STAMPS.sub(lambda m: f"{m[1]}{int(m[2]) - back}", text), encoding="utf-8")
        # The checksums are those of the bytes that it had, and of the state that these gave.
        commit.with_name(f".{commit.name}.crc").unlink(missing_ok=True)
        for checksum in (commit.with_suffix(".crc"), commit.with_name(f".{commit.stem}.crc.crc")):
            checksum.unlink(missing_ok=True)
    for file, when in made.items():
        if file.exists():
            os.utime(file, (when - by.total_seconds(),) * 2)
