"""The command that explains who somebody is, and why they are in their segment."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date, datetime
from functools import partial
from typing import Any

import click
from pydantic import BaseModel
from rich.markup import escape
from rich.tree import Tree

from segmentation.config.identity import IdentitySettings
from segmentation.features.catalogue import feature_catalogue
from segmentation.identity.explain import Explanation, Link, Tied, explain_identifier
from segmentation.identity.lookup import Identifier
from segmentation.runtime.commands.placement import placement_tree
from segmentation.runtime.options import Common, common_options, identifier_option
from segmentation.runtime.terminal import open_console
from segmentation.runtime.vocabulary import know_vocabulary
from segmentation.runtime.warehouse import Warehouse
from segmentation.segments.versions import read_segment_names
from segmentation.stages.explain_person import explain_person

_SHORT = 12
"""Digits of a token that stand in the tree."""


@click.command(
    epilog="\b\nExample:\n  segmentation explain --identifier user_id=u17 --config conf/example.yml\n"
    "  segmentation explain --person p0a1b2c3 --config conf/example.yml"
)
@click.option(
    "--identifier",
    metavar="TYPE=VALUE",
    callback=identifier_option,
    help="As a source would write it; a personal one also as the token that stands for it.",
)
@click.option("--person", metavar="PERSON_ID", help="Why this person is in their segment, and what would move them.")
@click.option("--version", type=int, help="With --person: of this version. Default: the published one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a tree.")
@common_options
def explain(
    common: Common, identifier: Identifier | None, person: str | None, version: int | None, as_json: bool
) -> None:
    """Say whose an identifier is, what ties it in, what was cut, and whose it was before; or, of a person, why they
    are in their segment, and what would move them to the nearest other.

    A personal value is looked up by its token, with the key, and never printed.
    """
    if (identifier is None) == (person is None):
        raise click.UsageError("Give either --identifier TYPE=VALUE or --person PERSON_ID.")
    if version is not None and person is None:
        raise click.UsageError("--version goes with --person.")
    settings = common.settings()
    warehouse = Warehouse(common.spark(settings), settings.warehouse)
    as_json = as_json or common.log_format == "json"
    if person is not None:
        placement = explain_person(warehouse, settings.segments, person, version)
        if as_json:
            click.echo(json.dumps(asdict(placement), default=_json, ensure_ascii=False))
            return
        names = read_segment_names(warehouse.read("segment_profiles"), placement.segment_version)
        known = know_vocabulary(settings, warehouse).features
        open_console().print(placement_tree(placement, names, feature_catalogue(known)))
        return
    assert identifier is not None, "one of the two is given"
    found = explain_identifier(
        warehouse.read("identity_map"),
        warehouse.read("identity_edges"),
        warehouse.read("identity_history"),
        settings.identity,
        *identifier,
    )
    if as_json:
        click.echo(json.dumps(asdict(found), default=_json, ensure_ascii=False))
    else:
        open_console().print(_tree(found, settings.identity))


def _json(value: object) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True)
    return value.isoformat() if isinstance(value, date) else str(value)


def name_identifier(settings: IdentitySettings, kind: str, value: str) -> str:
    """An identifier as a person can read it, in rich's markup; of a token its beginning."""
    return f"[bold]{kind}[/] {f'‹{value[:_SHORT]}…›' if settings.is_personal(kind) else escape(value)}"


def _tree(found: Explanation, settings: IdentitySettings) -> Tree:
    name = partial(name_identifier, settings)

    tree = Tree(f"Person [bold]{found.person_id}[/]: {len(found.identifiers)} identifiers")
    branches: dict[Identifier, Tree] = {}
    identifiers = tree.add("Identifiers, each under the one that ties it in")
    for one in found.identifiers:
        last = one.chain[-1] if one.chain else None
        known = [branches[link.type, link.value] for link in one.chain if (link.type, link.value) in branches]
        above = known[-1] if known else identifiers
        how = f", {_seen(last)}" if last else ""
        branches[one.type, one.value] = above.add(f"{name(one.type, one.value)}{how} · {_used(one)}")
    total = sum(found.cuts_by_reason.values())
    cuts = tree.add(f"Links that do not hold: {total or 'none'}")
    for reason, count in found.cuts_by_reason.items():
        group = cuts.add(f"[yellow]{escape(reason)}[/]: {count}")
        for cut in (cut for cut in found.cuts if cut.reason == reason):
            whose = f" of person {cut.to_person_id}" if cut.to_person_id else ""
            group.add(f"{name(cut.type, cut.value)} — {name(cut.to_type, cut.to_value)}{whose}, {_seen(cut)}")
    if total > len(found.cuts):
        cuts.add(f"… the {len(found.cuts)} seen most are shown")
    history = tree.add("History")
    for period in found.history:
        until = f" until {_day(period.valid_to)}" if period.valid_to else ""
        why = f", {escape(period.reason)}" if period.reason else ""
        whose = "this person" if period.person_id == found.person_id else f"person {period.person_id}"
        history.add(
            f"{_day(period.valid_from)} {period.change}: {name(period.type, period.value)} → {whose}{until}{why}"
        )
    return tree


def _seen(link: Link) -> str:
    """How a link came about."""
    by = f" by {', '.join(map(escape, link.sources))}" if link.sources else ""
    parts = [escape(link.reason)] if link.kind == "manual" and link.reason else []
    parts += [link.kind] if link.kind == "probabilistic" else []
    parts += [f"seen together {_times(link.observations)}{by}"] if link.observations else []
    how = ", ".join(parts)
    return how if link.confidence == 1 else f"{how}, confidence {link.confidence:.3f}"


def _used(one: Tied) -> str:
    return f"{one.events or 0:,} events since {_day(one.since)}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"


COMMANDS = (explain,)
