"""`segments`: how versions are assigned, named and let through."""

from __future__ import annotations

from segmentation.config.model import Section


class SegmentSettings(Section):
    """Assignment, names and publication gates."""
