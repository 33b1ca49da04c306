"""Showing a picture or a table where somebody looks: on Databricks, in Jupyter, or as a file for a browser."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import click
from markupsafe import Markup
from pyspark.sql import DataFrame

from segmentation.profiles.standalone import render_page

FOLDER = "SEGMENTATION_SHOWN"
"""Environment variable with the folder for what no notebook shows; by default `shown`."""


def show(what: Markup | DataFrame | None, title: str, rows: int = 20) -> None:
    """Shows a picture, or the first rows of a table, under a title.

    Outside a notebook it becomes the file `shown/TITLE.html` (the folder is that of `SEGMENTATION_SHOWN`), whose path
    is said. None is nothing to show, as where no candidate could be measured.
    """
    if what is None:
        return
    page = render_page(what if isinstance(what, Markup) else _table(what, rows), title)
    shell = _shell()
    if shell is None:
        path = Path(os.environ.get(FOLDER, "shown")) / f"{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
        click.echo(f"{title}: {path}")
    elif on_databricks := shell.user_ns.get("displayHTML"):
        on_databricks(page)
    else:
        # In a frame of its own, since the page's style sheet is for a whole page.
        frame = Markup(
            '<iframe srcdoc="{}" style="width:100%;height:420px;border:0" '
            "onload=\"this.style.height=this.contentDocument.documentElement.scrollHeight+'px'\"></iframe>"
        ).format(str(page))
        sys.modules["IPython"].display.display({"text/html": str(frame)}, raw=True)


def _shell() -> Any:
    """The notebook that this runs in, or None."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None


def _table(df: DataFrame, rows: int) -> Markup:
    found: Any = df.limit(rows + 1).toPandas()
    table = found.head(rows).to_html(index=False, border=0, na_rep="", float_format=lambda value: f"{value:,.4g}")
    more = Markup('<p class="hint">The first {} rows.</p>').format(rows) if len(found) > rows else ""
    return Markup('<div class="scroll">{}</div>{}').format(Markup(table), more)
