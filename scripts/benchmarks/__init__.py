"""How fast the stages are, against what a user would pick instead on one machine, in one run on the same input."""

from datetime import date

THREADS = 2
"""Of every engine."""

AS_OF = date(2026, 3, 31)
"""The last of the days on which events are."""
