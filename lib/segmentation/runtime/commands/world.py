"""Commands around known truth: the demo, the simulated world, and the score against it."""

from __future__ import annotations

COMMANDS = ()
