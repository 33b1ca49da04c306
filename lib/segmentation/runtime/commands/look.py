"""Commands that look around and change nothing."""

from __future__ import annotations

COMMANDS = ()
