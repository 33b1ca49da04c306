"""`features`: what is measured of each person."""

from __future__ import annotations

from segmentation.config.model import Section


class FeatureSettings(Section):
    """Declared features."""
