"""The key of the tokens: from a file or the environment, never from the configuration."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from segmentation.contracts.errors import ConfigError

KEY_FILE, KEY = "SEGMENTATION_KEY_FILE", "SEGMENTATION_KEY"
SHORTEST = 32
"""Bytes: as many as SHA-256 gives (RFC 2104, section 3)."""

_HOW = f"make one with `openssl rand -hex 32 > key && chmod 600 key` and set {KEY_FILE}=key"


def load_key(
    environment: Mapping[str, str] = os.environ,
    what: str = "Personal identifiers (email, phone, name, address)",
) -> bytes:
    """The key, which `what` (in the plural) needs: the text of the file that `SEGMENTATION_KEY_FILE` names, else of
    `SEGMENTATION_KEY`, without the white space around it. Raises `ConfigError` when there is none, or it is shorter
    than 32 bytes."""
    where, text = _find(environment, what)
    key = text.strip()
    if len(key) < SHORTEST:
        raise ConfigError(f"The key in {where} has {len(key)} bytes, and {SHORTEST} are needed: {_HOW}.")
    return key


@cache
def _warn_of_readers(file: str) -> None:
    """Once, however many stages read it."""
    logging.getLogger(__name__).warning("Others may read the key file '%s': run `chmod 600` on it.", file)


def _find(environment: Mapping[str, str], what: str) -> tuple[str, bytes]:
    if name := environment.get(KEY_FILE):
        path = Path(name).expanduser()
        try:
            key = path.read_bytes()
            mode = path.stat().st_mode
        except OSError as error:
            raise ConfigError(f"The key file '{name}' of {KEY_FILE} cannot be read ({type(error).__name__}).") from None
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            _warn_of_readers(name)
        return f"the file '{name}'", key
    if value := environment.get(KEY):
        return KEY, value.encode()
    raise ConfigError(f"{what} need a key, and there is none: {_HOW}.")
