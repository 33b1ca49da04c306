"""Where tables for people are printed."""

from rich.console import Console

_WIDTH_OF_A_FILE = 160
"""Columns where no terminal says how wide it is: a pipe or a file, in which a narrow table would be cut off."""


def open_console() -> Console:
    """Standard output: as wide as the terminal is, and wide where it is none."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH_OF_A_FILE
    return console
