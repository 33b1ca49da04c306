"""What every chart is drawn on: a Matplotlib figure of so many pixels, saved as SVG that stands in a page.

Colours are the page's own, so that a chart follows light and dark; letters are text in the page's font. A chart does
not get smaller text on a phone: it is drawn again for that width (see `for_all_screens`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from itertools import chain
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.textpath import TextPath

SIZE = 12.5
"""Height of letters, in pixels."""

_FONT = "DejaVu Sans"
"""Comes with Matplotlib and is wider than most: what fits in it fits in the page's font."""

_COLOURS = ("ink", "soft", "edge", "m0", "m1", "m2", "m3", *(f"c{n}" for n in range(10)), "fallback")
"""Variables of the style sheet that a chart may use."""

_MARKER = 0xABCD00
"""Matplotlib draws with such colours; in the SVG they become the variables."""

_SVG, _LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML has no place for."""


def colour(name: str) -> str:
    """The page's colour of this name, for Matplotlib."""
    return f"#{_MARKER + _COLOURS.index(name):06x}"


_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": _FONT,
    "font.size": SIZE,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": colour("edge"),
    "axes.labelcolor": colour("soft"),
    "axes.axisbelow": True,
    "grid.color": colour("edge"),
    "grid.linewidth": 1,
    "text.color": colour("ink"),
    "xtick.color": colour("edge"),
    "xtick.labelcolor": colour("soft"),
    "ytick.color": colour("edge"),
    "ytick.labelcolor": colour("soft"),
    "xtick.major.size": 0,
    "xtick.major.pad": 7,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.borderpad": 0,
    "legend.handlelength": 1,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}


class Canvas:
    """A figure in pixels, and what is said of its parts to who points at them."""

    def __init__(self, width: int, height: float, layout: str | None) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72, layout=layout)  # type: ignore[arg-type]
        self.said: list[tuple[str, Sequence[str]]] = []

    def plot(self, left: float = 0.0, top: float = 0.0, right: float = 0.0, bottom: float = 0.0) -> Axes:
        """Axes with this much room around them, in pixels."""
        return self.figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                (self.width - left - right) / self.width,
                (self.height - top - bottom) / self.height,
            )
        )

    def sheet(self) -> Axes:
        """The whole canvas without axes; data are pixels from the left and from the top."""
        axes = self.plot()
        axes.set(xlim=(0, self.width), ylim=(self.height, 0))
        axes.set_axis_off()
        return axes

    def say(self, drawn: Artist | BarContainer, *labels: str) -> None:
        """What the one thing, each of the bars or each of the marks that were drawn is, in words, for a tooltip."""
        parts = drawn.patches if isinstance(drawn, BarContainer) else [drawn]
        for part, said in zip(parts, [[label] for label in labels] if len(parts) > 1 else [labels], strict=True):
            part.set_gid(f"said-{len(self.said)}")
            self.said.append((f"said-{len(self.said)}", said))


def drawing(
    title: str,
    description: str,
    width: int,
    height: float,
    paint: Callable[[Canvas], None],
    layout: str | None = None,
) -> Markup:
    """A whole SVG, which says in words what it shows. Title and description go to those who do not see it."""
    out = StringIO()
    # Ids in it are hashes of what they name and of the salt: those of two charts differ.
    with _styled({"svg.hashsalt": f"{title} {description} {width}"}):
        canvas = Canvas(width, height, layout)
        paint(canvas)
        for artist in canvas.figure.findobj():
            artist.set_clip_on(False)
        for text in canvas.figure.findobj(Text):
            text.set_text(_printable(text.get_text()))
        canvas.figure.savefig(out, format="svg")
    root = ElementTree.fromstring(out.getvalue())
    return _for_page(root, _printable(f"{title}. {description}"), canvas)


def for_all_screens(draw: Callable[[int], Markup]) -> Markup:
    """The same chart for wide and for narrow screens; the style sheet shows one of the two."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(draw(720), draw(330))


def width_of(text: str) -> float:
    """How wide a text is at most, in pixels."""
    if not text:
        return 0.0
    with _styled():
        return float(TextPath((0, 0), text, size=SIZE, prop=FontProperties(family=_FONT)).get_extents().x1)


@contextmanager
def _styled(further: Mapping[str, str] | None = None) -> Iterator[None]:
    with rc_context(_STYLE | dict(further or {})), warnings.catch_warnings():
        # Only the widths of letters are asked of the font: the page has its own for what is not in it.
        warnings.filterwarnings("ignore", r"Glyph .* missing from font")
        yield


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)


def _for_page(root: ElementTree.Element, label: str, canvas: Canvas) -> Markup:
    """The same without what would reach beyond it in a page: ids that two charts may have, styles for everything."""
    for name in ("metadata", "defs"):
        for found in root.findall(_SVG + name):
            if name == "metadata" or found.find(_SVG + "style") is not None:
                root.remove(found)
    by_id = {element.attrib["id"]: element for element in root.iter() if "id" in element.attrib}
    for gid, labels in canvas.said:
        uses = list(by_id[gid].iter(_SVG + "use"))
        for element, said in zip(uses or [by_id[gid]], labels, strict=True):
            tip = ElementTree.Element("title")
            tip.text = _printable(said)
            element.insert(0, tip)
    used = {
        name
        for value in chain.from_iterable(element.attrib.values() for element in root.iter())
        for name in re.findall(r"(?:^|url\()#([\w-]+)", value)
    }
    for element in root.iter():
        # In a page neither the names nor the links of SVG need their namespaces.
        element.tag = element.tag.removeprefix(_SVG)
        if _LINK in element.attrib:
            element.attrib["href"] = element.attrib.pop(_LINK)
        if element.attrib.get("id") not in used:
            element.attrib.pop("id", None)
        if "style" in element.attrib:
            element.attrib["style"] = _page_style(element.attrib["style"])
    root.attrib |= {
        "role": "img",
        "aria-label": label,
        "width": f"{canvas.width}",
        "height": f"{canvas.height:g}",
        "stroke-linejoin": "round",
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _page_style(style: str) -> str:
    in_page = re.sub(r"font-family: [^;]*; ", "", style)
    return re.sub(r"#abcd([0-9a-f]{2})", lambda found: f"var(--{_COLOURS[int(found[1], 16)]})", in_page)
