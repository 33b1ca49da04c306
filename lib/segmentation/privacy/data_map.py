"""The data map: for each table, which columns say whose a row is. Access and erasure find everything by it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """How a table's rows are found to be a person's.

    `person`: the column with the person's id. `identifiers`: columns with an identifier's type and its value (or
    token), where any of them makes the row the person's. `identifier_map`: a map type -> value, of which the most
    trusted makes the row the person's; the others are only in it. `text`: the row as its source gave it, in which
    values may also stand where no identifier could be read. `derived`: whether the next run makes the rows anew, so
    that those that have anything of a person's may go whole. `remade`: whether all rows go, since the next run
    makes the table anew, and what it counts in others' rows may be the person's. `nothing`: why there is nothing on a
    person.
    """

    person: str | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    identifier_map: str | None = None
    text: str | None = None
    derived: bool = False
    remade: bool = False
    nothing: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that say whose a row is."""
        pairs = tuple(column for pair in self.identifiers for column in pair)
        return tuple(filter(None, (self.person, *pairs, self.identifier_map, self.text)))


_OF_A_PERSON = Held(person="person_id")
_OF_AN_IDENTIFIER = ("identifier_type", "identifier_value")

DATA_MAP: dict[str, Held] = {
    "events": Held(identifier_map="identifiers"),
    "events_quarantine": Held(identifier_map="identifiers", text="raw"),
    "ingest_batches": Held(nothing="counts and file names of whole batches"),
    "vault": Held(identifiers=(("identifier_type", "token"),)),
    "consent": Held(identifiers=(_OF_AN_IDENTIFIER,)),
    "identity_sightings": Held(identifier_map="identifiers", derived=True),
    "identity_edges": Held(identifiers=(("left_type", "left_value"), ("right_type", "right_value"))),
    "identity_map": Held(person="person_id", identifiers=(_OF_AN_IDENTIFIER,)),
    "identity_history": Held(person="person_id", identifiers=(_OF_AN_IDENTIFIER,)),
    "identity_links": Held(identifiers=(("left_type", "left_value"), ("right_type", "right_value"))),
    "identity_overrides": Held(identifiers=(("left_type", "left_value"), ("right_type", "right_value"))),
    "persons": _OF_A_PERSON,
    "person_attributes": _OF_A_PERSON,
    "identity_quality": Held(nothing="figures of whole runs"),
    "sessions": _OF_A_PERSON,
    "feature_days": Held(identifiers=(_OF_AN_IDENTIFIER,), remade=True),
    "features": _OF_A_PERSON,
    "rfm": _OF_A_PERSON,
    "rfm_engagement": _OF_A_PERSON,
    "feature_profiles": Held(nothing="figures of everyone together"),
    "journey_steps": Held(nothing="figures of everyone together"),
    "journey_paths": Held(nothing="figures of everyone together"),
    "journey_vocabulary": Held(nothing="figures of everyone together"),
    "models": Held(nothing="figures of clusters, no person among them"),
    "segment_versions": Held(nothing="figures of whole versions"),
    "segments": _OF_A_PERSON,
    "segments_current": _OF_A_PERSON,
    "segment_changes": _OF_A_PERSON,
    "segment_profiles": Held(nothing="figures of whole segments"),
    "holdouts": _OF_A_PERSON,
    "audience_members": _OF_A_PERSON,
    "export_members": _OF_A_PERSON,
    "export_refusals": _OF_A_PERSON,
    "export_log": Held(nothing="counts of whole deliveries"),
    "tombstones": Held(nothing="keyed tokens, to keep erased people out; nobody can read them back"),
    "erasure_work": Held(person="person_id", identifiers=(_OF_AN_IDENTIFIER,)),
    "erasures": Held(nothing="counts of whole erasures"),
    "audit_log": Held(nothing="acts; whose data they were about is said by keyed tokens only"),
    "runs": Held(nothing="counts of whole stages"),
}
