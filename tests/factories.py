"""Rows and settings for tests: a base, and what the test wants different."""

from __future__ import annotations

from typing import Any

from segmentation.config.settings import Settings


def minimal_settings(**changes: Any) -> Settings:
    """Settings of one CSV source with a user id and a cookie; `changes` replace whole sections."""
    base: dict[str, Any] = {
        "warehouse": "warehouse",
        "sources": [
            {
                "name": "web",
                "format": "csv",
                "path": "web.csv",
                "columns": {
                    "event_name": "event",
                    "event_ts": "to_timestamp(ts)",
                    "identifiers": {"user_id": "uid", "cookie": "cookie"},
                },
            }
        ],
        "identity": {"identifiers": {"user_id": {"max_per_person": 1}, "cookie": {}}},
    }
    return Settings.model_validate({**base, **changes})
