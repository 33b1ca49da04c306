"""`segmentation features --docs`: the catalogue of what is measured."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from pyspark.sql import functions as F

from segmentation.activation.folder import Folder
from segmentation.config.paths import is_catalog
from segmentation.config.settings import Settings
from segmentation.features.profiles import newest_profiles
from segmentation.features.rule_words import describe_row
from segmentation.features.sheets import find_users, shared_rules, write_sheets
from segmentation.profiles.feature_page import Measured, build_feature_page
from segmentation.runtime.options import Common
from segmentation.runtime.vocabulary import know_vocabulary
from segmentation.runtime.warehouse import Warehouse

FOLDER, FILE = "_reports", "features.html"


def show_feature_docs(common: Common, output: str | None) -> None:
    """Writes the page and prints its path, or prints one JSON object; writes no table."""
    if output is not None and Path(output).suffix.lower() != ".html":
        raise click.UsageError(f"--output {output}: name a file that ends in .html.")
    settings = common.settings()
    spark = common.spark(settings)
    warehouse = Warehouse(spark, settings.warehouse)
    settings = know_vocabulary(settings, warehouse)
    sheets = write_sheets(settings.features, find_users(settings), settings.identity.attributes)
    if common.log_format == "json":
        click.echo(json.dumps({sheet.info.name: asdict(sheet) for sheet in sheets}))
        return
    if output is None and is_catalog(settings.warehouse):
        raise click.UsageError("The warehouse is a catalog and has no folder for the page: give --output FILE.")
    shared = {name: f"events of which {describe_row(rule)}" for name, rule in shared_rules(settings.features).items()}
    version = settings.features.version(settings.identity.attributes)
    page = build_feature_page(sheets, shared, _measured(warehouse, settings, common), version)
    path = Path(output).absolute() if output else None
    folder = Folder(spark, str(path.parent) if path else warehouse.path(FOLDER), "the catalogue")
    name = path.name if path else FILE
    folder.write_text(name, page)
    click.echo(folder.path(name))


def _measured(warehouse: Warehouse, settings: Settings, common: Common) -> dict[str, Measured]:
    """What was measured by these definitions, at the newest date up to `--as-of`."""
    rows = warehouse.read_or_empty("feature_profiles")
    if common.dates:
        rows = rows.where(F.col("as_of") <= F.lit(common.dates[-1]))
    names = Measured.__dataclass_fields__
    return {
        feature: Measured(**{name: row[name] for name in names})
        for feature, row in newest_profiles(rows).items()
        if row["definition"] == settings.features.definition(feature, settings.identity.attributes)
    }
