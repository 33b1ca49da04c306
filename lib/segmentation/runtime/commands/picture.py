"""`--output FILE` of the commands that draw: a page or a picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from markupsafe import Markup
from pyspark.sql import SparkSession

from segmentation.activation.folder import Folder
from segmentation.profiles.standalone import render_page, render_svg

_WIDTH = 960
"""Width of a picture by itself, in pixels."""


def picture_path(output: str | None) -> Path | None:
    """The file that `--output` names. Raises a usage error for one that is neither a page nor a picture."""
    path = None if output is None else Path(output).absolute()
    if path is not None and path.suffix.lower() not in (".html", ".svg"):
        raise click.UsageError(f"--output {output}: name a file that ends in .html or .svg.")
    return path


def write_picture(spark: SparkSession, path: Path, title: str, draw: Callable[[int], Markup], page: Markup) -> None:
    """Writes what `draw` gives for a width, or the page around `page`, and says where."""
    drawn = render_svg(draw(_WIDTH)) if path.suffix.lower() == ".svg" else render_page(page, title)
    Folder(spark, str(path.parent), "the picture").write_text(path.name, str(drawn))
    click.echo(str(path))
