"""`report`: what the report says beside its figures."""

from __future__ import annotations

from pydantic import Field

from segmentation.config.model import Section


class ReportSettings(Section):
    """Texts of the report."""

    title: str = Field("Customer segments", min_length=1, max_length=120, description="Its headline.")
    notes: list[str] = Field([], description="Paragraphs on the data that a reader must know, such as its origin.")
