"""`export`: the people of published segments and audiences to where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.consent import consenting_people, refusing_people
from segmentation.activation.delivery import Shipment, deliver
from segmentation.activation.destinations import PLATFORMS, platform
from segmentation.activation.destinations.destination import Destination
from segmentation.activation.folder import Folder
from segmentation.activation.log import (
    DELIVERED,
    FAILED,
    LastDelivery,
    Standing,
    list_deliveries,
    log_row,
    read_standings,
)
from segmentation.activation.members import (
    FORGOTTEN,
    Difference,
    choose_segments,
    count_difference,
    current_members,
    hash_members,
    select_members,
)
from segmentation.activation.records import add_values, count_refusals, keep_found, make_records, needs_purposes
from segmentation.config.audiences import ALL_CAMPAIGNS
from segmentation.config.exports import ExportSettings
from segmentation.config.settings import Settings
from segmentation.contracts.activation import EXPORT_LOG, EXPORT_MEMBERS
from segmentation.contracts.errors import ConfigError, DeliveryError, InputError, Problem, SegmentationError
from segmentation.experiments.holdouts import control_group
from segmentation.runtime.plans import settled
from segmentation.runtime.stage import Outcome, Stage, StageContext
from segmentation.segments.versions import Version, published, read_segment_names, read_versions


def run(context: StageContext) -> Outcome:
    """Delivers the published version to every configured destination that does not hold it yet.

    A destination that fails does not keep the others from theirs; it is logged, and the stage fails at the end.
    Raises `InputError` where nothing is published, `ConfigError` before anything is written, `DeliveryError`.
    """
    version = published(read_versions(context.read_or_empty("segment_versions")))
    if version is None:
        raise InputError(
            "No segment version is published, so there is nothing to export: run `segmentation publish` first."
        )
    plan = _plan(context, version)
    for table in (EXPORT_MEMBERS, EXPORT_LOG):
        if not context.warehouse.exists(table.name):
            empty = context.spark.createDataFrame([], table.schema)
            context.warehouse.append_once(table.name, empty, "export", 0)
    standings = read_standings(context.read_or_empty("export_log"))
    done, failures = dict[str, Delivery](), list[SegmentationError]()
    for shipment, folder in plan:
        context.tell(f"delivering to {shipment.export.name}")
        try:
            delivery = _ship(context, shipment, folder, standings.get(shipment.export.name, Standing()))
        except DeliveryError as error:
            failures.append(error)
        else:
            if delivery is not None:
                done[shipment.export.name] = delivery
    if failures:
        raise failures[0]
    return _outcome(plan, done, dry=bool(context.options.get("dry_run")))


def _plan(context: StageContext, version: Version) -> list[tuple[Shipment, Folder]]:
    """All deliveries, checked before the first is made."""
    names = read_segment_names(context.read("segment_profiles"), version.segment_version)
    plan, targets = [], dict[str, str]()
    for number, export in enumerate(context.settings.exports):
        chosen = choose_segments(export.segments, names, f"exports.{number}.segments")
        pinned = _pinned(context, export)
        rules = _rules(export, f"exports.{number}.rules_of")
        shipment = Shipment(export, rules, version.segment_version, version.as_of, chosen, names, pinned)
        folder = Folder(
            context.spark,
            export.path or context.warehouse.path(f"_exports/{export.name}"),
            f"the export '{export.name}'",
        )
        target = folder.path(shipment.file)
        if target in targets:
            raise ConfigError(
                [Problem(f"exports.{number}.file", f"is the same file as that of '{targets[target]}'", target)]
            )
        targets[target] = export.name
        plan.append((shipment, folder))
    return plan


@dataclass(frozen=True)
class Delivery:
    """What one destination was told, and what could not be: why -> people."""

    difference: Difference
    left_out: Mapping[str, int]
    warning: str | None

    def in_words(self) -> str:
        difference = self.difference
        counts = [f"{getattr(difference, what):,} {what}" for what in ("added", "removed", "changed", "unchanged")]
        counts += [f"{people:,} whose {why}" for why, people in self.left_out.items()]
        return ", ".join([*counts, self.warning] if self.warning else counts)


def _rules(export: ExportSettings, key: str) -> Destination | None:
    if not export.is_platform:
        return None
    if (rules := platform(export.type, export.rules_of)) is None:
        oldest = PLATFORMS[export.type][-1].ruled
        raise ConfigError([Problem(key, f"the oldest known rules of {export.type} are of {oldest}", export.rules_of)])
    return rules


def _pinned(context: StageContext, export: ExportSettings) -> dict[str, int]:
    """The versions of the tables that say who is in the file, beside the segments: the newest that changed a row."""
    if export.audience is not None and "audience_members" not in context.inputs:
        raise InputError(
            f"Who is in the audience '{export.audience}' is not known yet: run `segmentation audiences` first."
        )
    needed = ["audience_members"] if export.audience is not None else []
    needed += ["holdouts"] if _has_control_group(context, export) else []
    needed += ["consent", "identity_map"] if export.purpose is not None or export.is_platform else []
    needed += ["vault", "persons"] if export.is_platform else []
    found = {name: context.warehouse.content(name) for name in needed if name in context.inputs}
    return {name: version for name, version in found.items() if version is not None}


def _has_control_group(context: StageContext, export: ExportSettings) -> bool:
    if export.audience is None:
        return False
    own = any(audience.name == export.audience and audience.holdout for audience in context.settings.audiences)
    return own or context.settings.universal_control is not None


def _ship(context: StageContext, shipment: Shipment, folder: Folder, standing: Standing) -> Delivery | None:
    """Makes one delivery and logs it; None where the destination holds it already."""
    last = standing.last
    same = last is not None and last.fingerprint == shipment.fingerprint
    if same and folder.exists(shipment.file) and folder.exists(shipment.manifest):
        return None
    with settled(_records(context, shipment)) as records:
        return _deliver(context, shipment, folder, records, standing)


def _deliver(
    context: StageContext, shipment: Shipment, folder: Folder, records: DataFrame, standing: Standing
) -> Delivery:
    export, last, number = shipment.export, standing.last, standing.number + 1
    left_out = count_refusals(records) if export.is_platform else {}
    members = keep_found(records) if export.is_platform else records
    told, held = hash_members(members), _held(context, export, last)
    difference = count_difference(held, told)
    delivery = Delivery(difference, left_out, _warning(shipment, difference.rows))
    if context.options.get("dry_run"):
        return delivery
    outcome = {"status": DELIVERED, "path": folder.path(shipment.file)}
    failure = None
    try:
        _check_size(shipment, difference.rows)
        _check_removals(context, shipment, difference, held, told)
        outcome["sha256"] = deliver(shipment, folder, members, difference.rows, left_out)
    except DeliveryError as error:
        outcome, failure = {"status": FAILED, "reason": str(error)}, error
    if last is None or failure or (last.fingerprint, last.sha256) != (shipment.fingerprint, outcome["sha256"]):
        if not failure:
            _hold(context, export, told, number, held)
        row = log_row(context.spark, shipment, number, difference, context.warehouse.run_id, context.now, outcome)
        context.warehouse.append_once("export_log", row, f"export:{export.name}", number)
    if failure:
        raise failure
    return delivery


def _held(context: StageContext, export: ExportSettings, last: LastDelivery | None) -> DataFrame | None:
    """Whom the destination was told of in its last delivery."""
    if last is None:
        return None
    rows = context.read_or_empty("export_members")
    return rows.where((F.col("destination") == export.name) & (F.col("delivery") == last.delivery))


def _hold(
    context: StageContext,
    export: ExportSettings,
    told: DataFrame,
    number: int,
    held: DataFrame | None,
) -> None:
    """Keeps whom the new delivery has. The last one's stay beside them until the log knows of the new one: whoever
    is killed in between still counts its difference against what was acknowledged."""
    rows = told.select(
        F.lit(export.name).alias("destination"), F.lit(number).cast("long").alias("delivery"), "person_id", "told"
    )
    if held is not None:
        rows = rows.unionByName(held)
    context.warehouse.replace_slice("export_members", rows, destination=export.name)


def _check_size(shipment: Shipment, people: int) -> None:
    """Raises `DeliveryError` where the platform refuses a list for its size."""
    platform = shipment.platform
    if platform is None:
        return
    has = f"Nothing was delivered: the export '{shipment.export.name}' has {people:,} people, and {platform.name} takes"
    if platform.fewest_is_firm and people < platform.fewest:
        raise DeliveryError(f"{has} lists of at least {platform.fewest:,}: widen its audience.")
    if platform.most_rows is not None and people > platform.most_rows:
        raise DeliveryError(f"{has} {platform.most_rows:,} at most: deliver its `segments` apart.")


def _check_removals(
    context: StageContext, shipment: Shipment, difference: Difference, held: DataFrame | None, told: DataFrame
) -> None:
    """Raises `DeliveryError` where so many people would be removed that somebody has to look first. Who said no or was
    erased does not count: that is carried out however many they are."""
    export = shipment.export
    before = difference.removed + difference.changed + difference.unchanged
    most = export.max_removed_share * before
    if held is None or difference.removed <= most or export.name in context.options.get("confirm_removals", ()):
        return
    removed = held.join(told, "person_id", "left_anti").where(~F.col("person_id").startswith(FORGOTTEN))
    consent, owners = context.read_or_empty("consent"), context.read_or_empty("identity_map")
    asked = {audience.purpose for audience in context.settings.audiences if audience.name == export.audience}
    for purpose in sorted(filter(None, {*asked, *shipment.purposes})):
        removed = removed.join(refusing_people(consent, owners, purpose), "person_id", "left_anti")
    if (count := removed.count()) <= most:
        return
    raise DeliveryError(
        f"Nothing was delivered: the export '{export.name}' would remove {count:,} of {before:,} people "
        f"({count / before:.0%}), more than its max_removed_share of {export.max_removed_share:.0%}. If that is meant, "
        f"run `segmentation export --confirm-removals {export.name}`."
    )


def _warning(shipment: Shipment, people: int) -> str | None:
    """What the platform would rather have, where it takes the list all the same."""
    platform = shipment.platform
    if platform is None or people >= platform.fewest:
        return None
    return f"{platform.name} discourages lists of fewer than {platform.fewest:,}"


def _records(context: StageContext, shipment: Shipment) -> DataFrame:
    """One row a person -> `person_id` and the columns of the file."""
    export, platform = shipment.export, shipment.platform
    if platform is None:
        return select_members(_members(context, shipment), shipment.segment_ids, export.columns, shipment.as_of)
    names = ["segment_id", "segment_name"]
    people = select_members(_members(context, shipment), shipment.segment_ids, names, shipment.as_of)
    identity = context.settings.identity
    valued = add_values(
        people,
        export.fields,
        context.read_or_empty("identity_map"),
        context.read_or_empty("vault"),
        context.read_or_empty("persons"),
        [kind for kind in identity.identifiers if identity.is_personal(kind)],
    )
    if platform.purposes:
        granted = [_consenting(context, purpose) for purpose in platform.purposes]
        all_granted = reduce(lambda some, more: some.join(more, "person_id", "left_semi"), granted)
        marked = valued.join(all_granted.withColumn("granted", F.lit(True)), "person_id", "left")
        valued = marked.where(F.col("granted") | ~needs_purposes(platform, export.fields)).drop("granted")
    return make_records(valued, platform, export.fields)


def _members(context: StageContext, shipment: Shipment) -> DataFrame:
    """The people who may be delivered: rows as of `segments`, with nulls for those who are in no segment."""
    export, version = shipment.export, shipment.segment_version
    rows = context.read("segments").where(F.col("segment_version") == version)
    if export.audience is not None:
        inside = current_members(context.read("audience_members"), export.audience)
        if _has_control_group(context, export):
            overall = () if context.settings.universal_control is None else (ALL_CAMPAIGNS,)
            controls = control_group(context.read_or_empty("holdouts"), export.audience, *overall)
            inside = inside.join(controls, "person_id", "left_anti")
        rows = inside.join(rows, "person_id", "left").withColumn("segment_version", F.lit(version).cast("long"))
    if export.purpose is not None:
        rows = rows.join(_consenting(context, export.purpose), "person_id", "left_semi")
    return rows


def _consenting(context: StageContext, purpose: str) -> DataFrame:
    return consenting_people(context.read_or_empty("consent"), context.read_or_empty("identity_map"), purpose)


def _outcome(plan: list[tuple[Shipment, Folder]], done: Mapping[str, Delivery], dry: bool) -> Outcome:
    rows = sum(delivery.difference.rows for delivery in done.values())
    told = [f"{name}: {delivery.in_words()}" for name, delivery in done.items()]
    held = [shipment.export.name for shipment, _ in plan if shipment.export.name not in done]
    if held:
        told.append(f"{', '.join(held)} {'holds' if len(held) == 1 else 'hold'} it already")
    message = "; ".join(told) or "no exports are configured"
    return Outcome(
        rows_in=rows,
        rows_out=0 if dry else rows,
        figures={"deliveries": 0 if dry else len(done)},
        message=f"nothing is written: {message}" if dry else message,
    )


def _depends_on(settings: Settings) -> object:
    return settings.exports


STAGE = Stage(
    name="export",
    help="Deliver the people of published segments and audiences to the configured destinations.",
    reads=(
        "segment_versions",
        "segments",
        "segment_profiles",
        "audience_members",
        "holdouts",
        "consent",
        "identity_map",
        "vault",
        "persons",
    ),
    writes=("export_log", "export_members"),
    state=("export_log", "export_members"),
    run=run,
    depends_on=_depends_on,
    reusable=False,
    options=(
        click.Option(["--dry-run"], is_flag=True, help="Only say what would change at each destination."),
        click.Option(
            ["--confirm-removals"],
            multiple=True,
            metavar="NAME",
            help="Let this export remove more people than its max_removed_share.",
        ),
    ),
    acts=lambda warehouse: list_deliveries(warehouse.read_or_empty("export_log"), warehouse.read_or_empty("audit_log")),
)
