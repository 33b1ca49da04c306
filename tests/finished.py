"""The made shop after its pipeline has run: made once for all tests and processes, copied by whoever changes it."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from segmentation.runtime.cli import run_command
from tests.shop import shop_settings, write_shop

KEY = "0123456789abcdef" * 4
LAST_WEEK, TODAY = date(2026, 3, 24), date(2026, 3, 31)
"""The dates of version 1, which is retired, and of version 2, which is published."""

# What it takes to choose is tried in the unit tests of clustering, and whether a version passes in those of segments.
_QUICK = {
    "clustering": {"algorithms": ["kmeans"], "k": {"min": 3, "max": 4}, "stability": {"refits": 0}},
    "segments": {"gates": {"max_moved_share": 1.0}},
}


@dataclass(frozen=True)
class FinishedShop:
    """Where it is. Its warehouse is read and not written."""

    folder: Path

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    @property
    def settings(self) -> dict[str, Any]:
        """Its configuration."""
        return _settings(self.folder)

    def copy_to(self, folder: Path, **sections: object) -> Path:
        """Copies the warehouse into `folder`, and returns a configuration of the copy; `sections` replace whole ones.

        Its sources stay where they are, so that a run of the copy finds nothing new. So do the files that were
        delivered, which `export_log` names: whoever erases somebody in a copy leaves that table out of it.
        """
        shutil.copytree(self.warehouse, folder / "warehouse")
        changed = {**_settings(self.folder), "warehouse": str(folder / "warehouse")}
        return _write_settings(folder, changed | sections)


def finish_shop(root: Path) -> FinishedShop:
    """Makes the shop below `root`, or waits until another process has made it there."""
    folder = root / "finished-shop"
    with (root / "finished-shop.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "is-finished").exists():
            shutil.rmtree(folder, ignore_errors=True)
            patch.setenv("SEGMENTATION_KEY", KEY)
            write_shop(folder)
            config = str(_write_settings(folder, _settings(folder)))
            versions = "ingest,identity,sessions,features,train,assign,publish"
            assert run_command(["run", "--config", config, "--as-of", str(LAST_WEEK), "--stages", versions]) == 0
            assert run_command(["run", "--config", config]) == 0
            (folder / "is-finished").touch()
    return FinishedShop(folder)


def quick_settings(folder: Path) -> dict[str, Any]:
    """The configuration of the shop below `folder`, with few models to fit."""
    return shop_settings(folder) | _QUICK


def _settings(folder: Path) -> dict[str, Any]:
    # Delivered inside the warehouse, so that a copy of it holds what was delivered too.
    return quick_settings(folder) | {"exports": [{"name": "crm", "type": "csv"}]}


def _write_settings(folder: Path, settings: dict[str, object]) -> Path:
    path = folder / "shop.yml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path
