"""Toy histories, worked out by hand: merges, splits, shared and reused devices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pyarrow as pa
import pytest
from tests.unit.identity.graphs import Sighting, identity_settings

from segmentation.config.identity import IdentitySettings
from segmentation.identity.batches import Batch
from segmentation.identity.one_task import replay_small
from segmentation.identity.overrides import Decision, Override, plan_steps

START = datetime(2026, 3, 1, tzinfo=UTC)


Choice = tuple[int, str, str, list[str]]
"""After which batch an override was added or removed, its action, and the values that it names."""


def history(
    sightings: list[Sighting],
    settings: IdentitySettings,
    choices: Sequence[Choice] = (),
    gap: timedelta = timedelta(minutes=1),
) -> tuple[dict[str, str], list[tuple[str, str, int]]]:
    """Who owns each value in the end, and every change as (value, change, batch). A value's node is its place; `gap` is
    between one sighting and the next."""
    values = sorted({(kind, value) for _, identifiers in sightings for kind, value in identifiers.items()})
    node = {identifier: number for number, identifier in enumerate(values)}
    arrivals: dict[tuple[str, str], tuple[int, datetime]] = {}
    pairs: dict[tuple[int, Any], dict[str, Any]] = {}
    for number, (seq, identifiers) in enumerate(sightings):
        at = START + number * gap
        for identifier in identifiers.items():
            arrivals[identifier] = min(arrivals.get(identifier, (seq, at)), (seq, at))
        for left, right in combinations(sorted(identifiers.items()), 2):
            row = pairs.setdefault((seq, (left, right)), _pair(node, left, right, seq))
            row["observations"] += 1
            row["last_seen"] = at
    identifiers_table = [
        {
            "node": node[kind, value],
            "type": kind,
            "value": value,
            "rank": settings.ranks[kind],
            "batch_seq": seq,
            "arrival_ts": at,
        }
        for (kind, value), (seq, at) in arrivals.items()
    ]
    batches = [Batch(seq, START + timedelta(days=seq)) for seq in sorted({seq for seq, _ in sightings})]
    place = {value: number for (_, value), number in node.items()}
    decisions = []
    for step, (seq, change, action, named) in enumerate(choices, 1):
        left, *right = [(values[place[name]], place[name]) for name in named]
        nodes = tuple(place[name] for name in named)
        override = Override(action, left[0], right[0][0] if right else None, "said so", nodes)
        added, removed = ((override,), ()) if change == "add" else ((), (override,))
        decisions.append(Decision(step, seq, added, removed))
    members, changes, _ = replay_small(
        pa.Table.from_pylist(identifiers_table),
        pa.Table.from_pylist(list(pairs.values())),
        plan_steps(batches, decisions),
        settings,
    )
    told = [(values[row["node"]][1], row["change"], row["batch_seq"]) for row in changes.to_pylist()]
    return {row["value"]: row["person_id"] for row in members.to_pylist()}, told


def _pair(node: dict[tuple[str, str], int], left: tuple[str, str], right: tuple[str, str], seq: int) -> dict[str, Any]:
    return {
        "left_node": node[left],
        "left_type": left[0],
        "right_node": node[right],
        "right_type": right[0],
        "batch_seq": seq,
        "observations": 0,
    }


def test_an_undone_merge_gives_back_the_ids_from_before() -> None:
    apart: list[Sighting] = [(1, {"email": "anna"}), (1, {"email": "ben"})]
    joined: list[Sighting] = [*apart, (2, {"email": "anna", "cookie": "k"}), (2, {"email": "ben", "cookie": "k"})]
    # With four more addresses the cookie turns out to be a kiosk: it never tied anybody together.
    kiosk: list[Sighting] = [*joined, *((3, {"email": f"guest{i}", "cookie": "k"}) for i in range(4))]
    before, _ = history(apart, identity_settings())
    between, told = history(joined, identity_settings())
    after, later = history(kiosk, identity_settings())
    assert between["ben"] == between["k"] == between["anna"] == before["anna"]
    assert ("ben", "merge", 2) in told
    assert (after["anna"], after["ben"]) == (before["anna"], before["ben"])
    assert after["k"] not in before.values(), "the kiosk is a person of its own"
    assert {change for change in later if change[2] == 3 and change[1] != "new"} == {
        ("ben", "split", 3),
        ("k", "split", 3),
    }


SHARED = [
    (1, {"user_id": "anna", "cookie": "tablet"}),
    (1, {"user_id": "anna", "cookie": "tablet"}),
    (2, {"user_id": "ben", "cookie": "tablet"}),
]


@pytest.mark.parametrize(("shared", "owner"), [("most", "anna"), ("last", "ben"), ("nobody", None)])
def test_a_shared_tablet_goes_where_the_configuration_says(shared: str, owner: str | None) -> None:
    types = {"user_id": {"max_per_person": 1}, "cookie": {"shared": shared}}
    found, _ = history(SHARED, identity_settings(identifiers=types))
    assert found["anna"] != found["ben"]
    assert [name for name in ("anna", "ben") if found[name] == found["tablet"]] == ([owner] if owner else [])


@pytest.mark.parametrize(("shared", "owners"), [("most", ["anna", "carl"]), ("last", ["ben", "carl"]), ("nobody", [])])
def test_a_device_is_tied_to_no_more_users_than_it_may_be(shared: str, owners: list[str]) -> None:
    """Ben used it last but one and least; carl last, and as often as anna."""
    used = ["anna", "anna", "carl", "ben", "carl"]
    types = {"user_id": {}, "device": {"shared": shared, "max_links": {"user_id": 2}}}
    found, _ = history(
        [(day, {"user_id": user, "device": "tablet"}) for day, user in enumerate(used, 1)],
        identity_settings(identifiers=types),
    )
    assert [name for name in ("anna", "ben", "carl") if found[name] == found["tablet"]] == owners


def test_no_more_cookies_within_some_days_than_a_person_may_have() -> None:
    """The one that was seen least would be a third within five days; one that came later is none."""
    types = {"user_id": {}, "cookie": {"max_per_person": 2, "within_days": 5}}
    cookies = ["a", "a", "b", "b", "c", "later"]
    sightings: list[Sighting] = [(1, {"user_id": "anna", "cookie": cookie}) for cookie in cookies]
    found, _ = history(sightings, identity_settings(identifiers=types), gap=timedelta(days=1))
    assert found["anna"] == found["a"] == found["b"] == found["later"] != found["c"]


def test_the_weakest_link_of_a_chain_between_two_users_is_cut() -> None:
    sightings: list[Sighting] = [
        (1, {"user_id": "anna", "cookie": "a"}),
        (1, {"user_id": "ben", "email": "b"}),
        *[(1, {"cookie": "a", "email": "b"})] * 9,
    ]
    found, _ = history(sightings, identity_settings())
    assert found["anna"] == found["a"] != found["b"] == found["ben"]


def test_ids_do_not_change_when_strangers_arrive() -> None:
    """Of two people who never touch, one's history leaves the other's id and periods alone."""
    quiet: list[Sighting] = [(1, {"cookie": "q"}), (3, {"user_id": "quinn", "cookie": "q"})]
    alone, told = history(quiet, identity_settings())
    both, more = history([quiet[0], *SHARED, quiet[1]], identity_settings())
    assert {value: both[value] for value in alone} == alone
    assert [change for change in more if change[0] in alone] == told


def test_a_value_of_ten_thousand_people_ties_none_of_them() -> None:
    people = [f"u{n}" for n in range(10_000)]
    sightings: list[Sighting] = [(1 + n % 3, {"user_id": user, "cookie": "kiosk"}) for n, user in enumerate(people)]
    owners, told = history([*sightings, (4, {"user_id": "u7", "cookie": "own"})], identity_settings())
    assert len({owners[user] for user in people} | {owners["kiosk"]}) == 10_001
    assert owners["own"] == owners["u7"]
    assert {change for _, change, _ in told} == {"new"}


TWO: list[Sighting] = [(1, {"email": "anna", "cookie": "a"}), (1, {"email": "ben", "cookie": "b"})]


def test_who_is_forced_together_is_one_person_until_that_is_taken_back() -> None:
    forced: Choice = (1, "add", "together", ["a", "b"])
    before, _ = history(TWO, identity_settings())
    between, told = history(TWO, identity_settings(), [forced])
    assert set(between.values()) == {before["anna"]}, "the older person survives"
    assert {change for change in told if change[1] != "new"} == {("ben", "merge", 1), ("b", "merge", 1)}
    later: list[Sighting] = [*TWO, (2, {"email": "ben", "cookie": "new"})]
    grown, _ = history(later, identity_settings(), [forced])
    assert set(grown.values()) == {before["anna"]}, "what comes later joins the person as it is now"
    after, _ = history(later, identity_settings(), [forced, (2, "remove", "together", ["a", "b"])])
    assert {value: after[value] for value in before} == before
    assert after["new"] == before["ben"]


def test_what_is_forced_together_may_break_a_limit_that_others_keep() -> None:
    sightings: list[Sighting] = [
        (1, {"user_id": "anna", "cookie": "a"}),
        (1, {"user_id": "anna", "cookie": "a"}),
        (1, {"user_id": "anne", "cookie": "b"}),
        (2, {"user_id": "anne", "cookie": "later"}),
        (2, {"user_id": "carl", "cookie": "a"}),
    ]
    found, _ = history(sightings, identity_settings(), [(1, "add", "together", ["anna", "anne"])])
    assert len({found[name] for name in ("anna", "anne", "a", "b", "later")}) == 1
    assert found["carl"] != found["anna"]


def test_who_is_kept_apart_is_parted_at_the_weakest_link() -> None:
    sightings: list[Sighting] = [
        (1, {"email": "anna", "cookie": "k"}),
        (1, {"email": "anna", "cookie": "k"}),
        (1, {"email": "ben", "cookie": "k"}),
        (2, {"email": "ben", "cookie": "b"}),
        (2, {"email": "anna", "cookie": "b"}),
    ]
    found, told = history(sightings, identity_settings(), [(1, "add", "apart", ["anna", "ben"])])
    assert found["anna"] == found["k"] != found["ben"], "seen twice with anna, once with ben"
    assert ("ben", "split", 1) in told
    back, _ = history(
        sightings, identity_settings(), [(1, "add", "apart", ["anna", "ben"]), (2, "remove", "apart", ["anna", "ben"])]
    )
    assert set(back.values()) == {found["anna"]}


def test_a_dropped_identifier_ties_nobody_until_it_is_taken_up_again() -> None:
    sightings: list[Sighting] = [
        (1, {"email": "anna", "cookie": "k"}),
        (1, {"email": "ben", "cookie": "k"}),
        (2, {"email": "carl", "cookie": "k"}),
    ]
    dropped: Choice = (1, "add", "drop", ["k"])
    found, _ = history(sightings, identity_settings(), [dropped])
    assert len(set(found.values())) == 4
    back, _ = history(sightings, identity_settings(), [dropped, (2, "remove", "drop", ["k"])])
    assert set(back.values()) == {found["anna"]}


def test_an_undone_merge_gives_back_the_older_id_of_the_weaker_part() -> None:
    sightings: list[Sighting] = [(1, {"cookie": "c"}), (1, {"user_id": "anna", "email": "anna@"})]
    forced: Choice = (1, "add", "together", ["c", "anna"])
    before, _ = history(sightings, identity_settings())
    between, _ = history(sightings, identity_settings(), [forced])
    assert set(between.values()) == {before["c"]}, "the cookie came first"
    after, _ = history(sightings, identity_settings(), [forced, (1, "remove", "together", ["c", "anna"])])
    assert after == before
