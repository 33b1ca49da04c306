"""The chain of the audit log: any entry that is changed, taken out, put in or moved is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from segmentation.privacy.audit import Act, BrokenChainError, End, Entry, chain_acts, check_chain

START = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)


def _entries(count: int = 4) -> list[Entry]:
    acts = [
        Act("export", f"crm, delivery {n}", START + timedelta(minutes=n), {"added": str(n)})
        for n in reversed(range(count))
    ]
    return list(chain_acts(acts, End(), "ann", "run"))


def test_a_chain_ends_where_it_was_written_to_and_goes_on_from_there() -> None:
    entries = _entries()
    assert [entry.subject for entry in entries] == [f"crm, delivery {n}" for n in range(4)], "in order of time"
    end = check_chain(entries)
    assert end == End(4, entries[-1].entry_hash)
    further = list(chain_acts([Act("access", "one person", START + timedelta(days=1))], end, "bob", "next"))
    assert check_chain([*entries, *further]).entry == 5
    assert check_chain([]) == End()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: [e[0], replace(e[1], detail={"added": "9"}), *e[2:]], "entry 2: was changed"),
        (lambda e: [e[0], replace(e[1], acted_ts=START), *e[2:]], "entry 2: was changed"),
        (lambda e: [e[0], replace(e[1], actor="bob"), *e[2:]], "entry 2: was changed"),
        (lambda e: [e[0], *e[2:]], "entry 2: is missing"),
        (lambda e: e[1:], "entry 1: is missing"),
        (lambda e: [*e[:2], e[1], *e[2:]], "entry 2: is twice"),
        (lambda e: [e[0], _signed(replace(e[1], actor="bob")), *e[2:]], "entry 3: does not carry the hash"),
    ],
)
def test_what_breaks_a_chain(change, said: str) -> None:
    with pytest.raises(BrokenChainError, match=said):
        check_chain(change(_entries()))


def _signed(entry: Entry) -> Entry:
    return replace(entry, entry_hash=entry.expected_hash())
