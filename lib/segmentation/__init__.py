"""Behavioural segmentation on Apache Spark and Delta Lake.

Data moves one way, through Delta tables whose names and columns stand in :mod:`segmentation.contracts`::

    sources -> ingest -> identity -> sessions -> features -> clustering -> segments -> activation

From Python, `open_warehouse` is the way in: see :mod:`segmentation.api`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segmentation.api import open_warehouse

__all__ = ["__version__", "open_warehouse"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Loads the API, and Spark with it, when somebody asks for it: whoever imports a schema needs neither."""
    if name == "open_warehouse":
        return import_module("segmentation.api").open_warehouse
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
