"""What segments rest on: who is who, what became of the rows, what a version was judged by, and who moved."""

from __future__ import annotations

from collections import Counter
from typing import Any

from segmentation.profiles.continuity import tell_continuity
from segmentation.profiles.flows import describe_change, flows_chart
from segmentation.profiles.report.data import Identity, Provenance, ReportData, SourceQuality
from segmentation.profiles.report.words import CAUSES, CHECKS, QUARANTINE_REASONS, capital, in_words
from segmentation.profiles.wording import listed
from segmentation.segments.comparison import Change
from segmentation.segments.gates import Check, accepted_checks

REASONS = 5
"""Reasons for cut links that are told one by one."""


def show_identity(identity: Identity) -> dict[str, Any]:
    """Who is who: how many identifiers people have, and why links were cut."""
    most = max(identity.people_by_identifiers.values(), default=1)
    last = max(identity.people_by_identifiers, default=1)
    cut = Counter[str]()
    for link in identity.links:
        if link.status != "active":
            cut[link.reason or link.status] += link.pairs
    told = cut.most_common(REASONS)
    return {
        "people": identity.people,
        "identifiers": sum(identity.identifiers.values()),
        "types": listed([f"{n:,} {kind.replace('_', ' ')}" for kind, n in identity.identifiers.items()]),
        "held": [
            {
                "label": f"{count} or more" if count == last and last > 1 else f"{count}",
                "people": people,
                "part": round(people / most, 4),
            }
            for count, people in sorted(identity.people_by_identifiers.items())
        ],
        "active": sum(link.pairs for link in identity.links if link.status == "active"),
        "cut": cut.total(),
        "reasons": told,
        "further": cut.total() - sum(pairs for _, pairs in told),
        "score": identity.score,
    }


def show_quality(source: SourceQuality) -> dict[str, Any]:
    """What became of the rows of a source."""
    return {
        "source": source,
        "parts": [
            (name, value, round(100 * value / source.read, 2) if source.read else 0.0)
            for name, value in (
                ("accepted", source.accepted),
                ("duplicate", source.duplicates),
                ("sampled", source.sampled),
                ("refused", source.quarantined),
            )
        ],
        "reasons": [
            (in_words(reason, QUARANTINE_REASONS), rows)
            for reason, rows in sorted(source.reasons.items(), key=lambda item: (-item[1], item[0]))
        ],
    }


def show_movement(data: ReportData) -> dict[str, Any] | None:
    """Why people moved, and the commonest ways; None where nobody did."""
    if not data.movements:
        return None
    former = data.change.flows if data.change else ()
    names = {flow.from_segment: flow.from_name or "" for flow in former if flow.from_segment}
    names |= {profile.segment_id: profile.name for profile in data.segments}
    causes, flows = Counter[str](), Counter[tuple[str, str]]()
    for move in data.movements:
        causes[move.cause] += move.people
        start = names.get(move.from_segment, "a former segment") if move.from_segment else "not there before"
        end = names.get(move.to_segment, "a former segment") if move.to_segment else "not there any more"
        flows[start, end] += move.people
    total = sum(causes.values())
    return {
        "total": total,
        "causes": [(in_words(cause, CAUSES), people, people / total) for cause, people in causes.most_common()],
        "flows": [(start, end, people) for (start, end), people in flows.most_common(8)],
    }


def show_flows(change: Change, segments: list[dict[str, Any]]) -> dict[str, Any]:
    """The flows between segments as a picture and in words, and what became of the segments."""
    hues = {segment["profile"].segment_id: segment["hue"] for segment in segments}
    return {"chart": flows_chart(change, hues), "told": describe_change(change), "segments": tell_continuity(change)}


def show_check(check: Check) -> dict[str, Any]:
    """One check of a version: what was found against which limit, and of whom it speaks."""
    found, limit = check.told
    side = "at most" if check.check.startswith("max") else "at least"
    return {
        "name": in_words(check.check, CHECKS),
        "key": check.check,
        "found": found,
        "limit": f"{side} {limit}",
        "meaning": capital(check.meaning),
        "whom": "" if check.whom in check.meaning and not check.holds else check.whom,
        "holds": check.holds,
    }


def accepted(provenance: Provenance) -> str | None:
    """What was decided where a version was published in spite of a check."""
    reason = provenance.reason or ""
    return capital(reason) if accepted_checks(reason) else None
