"""The chain of the audit log: each entry carries the hash of the one before, so that none can be changed or taken out
without breaking it. Entries at the end can be taken away unseen, unless their last hash is also kept elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Act:
    """Something that has to be accounted for: the same action on the same subject at the same moment is the same act.

    Neither `subject` nor `detail` may hold a personal value, or a text that somebody has typed: what is in the log
    stays there.
    """

    action: str
    subject: str
    acted_ts: datetime
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One row of `audit_log`; `acted_ts` has its time zone."""

    entry: int
    acted_ts: datetime
    action: str
    subject: str
    detail: Mapping[str, str]
    actor: str
    run_id: str
    previous_hash: str
    entry_hash: str = ""

    def expected_hash(self) -> str:
        """SHA-256 of all that the entry says and of the hash before it."""
        said = asdict(self) | {"acted_ts": self.acted_ts.timestamp(), "entry_hash": ""}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class End:
    """The last entry's number and hash; of an empty log 0 and nothing."""

    entry: int = 0
    entry_hash: str = ""


class BrokenChainError(Exception):
    """An entry that does not follow from the one before: its number, and what is wrong."""

    def __init__(self, entry: int, what: str) -> None:
        self.entry, self.what = entry, what
        super().__init__(f"entry {entry}: {what}")


def chain_acts(acts: Sequence[Act], end: End, actor: str, run_id: str) -> Iterator[Entry]:
    """The entries that come after `end`, in the order in which the acts were done."""
    for act in sorted(acts, key=lambda act: (act.acted_ts, act.action, act.subject)):
        said = (act.acted_ts, act.action, act.subject, dict(act.detail), actor, run_id, end.entry_hash)
        unsigned = Entry(end.entry + 1, *said)
        end = End(unsigned.entry, unsigned.expected_hash())
        yield Entry(unsigned.entry, *said, entry_hash=end.entry_hash)


def check_chain(entries: Iterable[Entry]) -> End:
    """Where the chain of entries, in their order, ends. Raises `BrokenChainError` at the first that breaks it."""
    end = End()
    for entry in entries:
        if entry.entry != end.entry + 1:
            missing = entry.entry > end.entry
            raise BrokenChainError(end.entry + 1 if missing else entry.entry, "is missing" if missing else "is twice")
        if entry.previous_hash != end.entry_hash:
            raise BrokenChainError(entry.entry, "does not carry the hash of the entry before")
        if entry.entry_hash != entry.expected_hash():
            raise BrokenChainError(entry.entry, "was changed after it was written")
        end = End(entry.entry, entry.entry_hash)
    return end
