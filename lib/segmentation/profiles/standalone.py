"""One picture or table as a page of its own, in the report's style: nothing is loaded from elsewhere."""

from __future__ import annotations

from importlib.resources import files

from markupsafe import Markup, escape


def render_page(content: Markup, title: str) -> Markup:
    """A whole page of HTML with one figure."""
    return Markup(
        '<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>{0}</title><style>{1}</style><main><section><h2>{0}</h2><figure>{2}</figure></section></main>"
    ).format(escape(title), _style(), content)


def render_svg(drawing: Markup) -> Markup:
    """A drawing of `plots.canvas.drawing` as a file of its own."""
    start, rest = str(drawing).split(">", 1)
    start = start.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
    return Markup("{}><style>{}</style>{}").format(Markup(start), _style(), Markup(rest))


def _style() -> Markup:
    return Markup((files("segmentation.profiles.report") / "page.css").read_text(encoding="utf-8"))
