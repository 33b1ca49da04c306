"""What codes of the tables are called on the page, and how it writes names and money."""

from __future__ import annotations

from collections.abc import Mapping

from segmentation.profiles.wording import number

STATUSES = {
    "candidate": "a candidate: not published yet",
    "published": "published: in use now",
    "rejected": "rejected: a check refused it",
    "retired": "retired: not in use any more",
    "shadow": "a shadow: watched, never published",
}

CAUSES = {
    "new": "New people",
    "left": "People who are gone",
    "behaviour": "They behave differently now",
    "late_data": "Earlier events arrived late",
    "identity": "We know better who is who",
    "refit": "The segments themselves were found anew",
    "rule": "A rule was changed",
}

CHECKS = {
    "max_moved_share": "People who change segment",
    "min_segment_share": "The smallest segment’s share",
    "max_segment_share": "The largest segment’s share",
    "min_coverage": "People whom the model places",
    "min_stability": "Agreement with refits",
    "max_drift": "Change of people in a feature",
    "max_age_days": "Days since the newest event",
    "max_group_difference": "How far a group is elsewhere",
}

QUARANTINE_REASONS = {
    "malformed_row": "the row is broken",
    "bad_encoding": "it is written in another encoding than the source says",
    "missing_event_name": "it does not say what happened",
    "bad_event_ts": "its time cannot be read",
    "bad_received_ts": "the time it was received cannot be read",
    "bad_amount": "its amount cannot be read",
    "no_identifier": "it does not say who it was",
}


def in_words(code: str, words: Mapping[str, str]) -> str:
    """The words for a code, else the code itself without its underscores."""
    return words.get(code, code.replace("_", " "))


def capital(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def money(value: float, currency: str | None) -> str:
    """An amount with its currency, where there is one."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else number(value)
    return f"{text} {currency}" if currency else text
