"""`clustering`: how models are fitted and chosen."""

from __future__ import annotations

from segmentation.config.model import Section


class ClusteringSettings(Section):
    """Fitting and choosing."""
