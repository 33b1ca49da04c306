"""Secrets of logins: from the environment, never from the configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping

from segmentation.contracts.errors import ConfigError


def read_secret(variable: str, what: str, environment: Mapping[str, str] = os.environ) -> str:
    """The password in an environment variable. Raises `ConfigError` where it is not set."""
    if password := environment.get(variable):
        return password
    raise ConfigError(f"{what} needs a password: set the environment variable {variable} to it.")
