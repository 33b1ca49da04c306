"""The people of an export: who is meant, who said no, and what the destination is told of each."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from segmentation.activation.consent import consenting_people, refusing_people
from segmentation.activation.delivery import Shipment
from segmentation.activation.members import current_members, select_members
from segmentation.activation.records import add_values, keep_found, make_records, needs_purposes
from segmentation.config.audiences import ALL_CAMPAIGNS
from segmentation.config.exports import ExportSettings
from segmentation.experiments.holdouts import control_group
from segmentation.runtime.stage import StageContext


def has_control_group(context: StageContext, export: ExportSettings) -> bool:
    """Whether some people of the export's audience are held out of it."""
    if export.audience is None:
        return False
    own = any(audience.name == export.audience and audience.holdout for audience in context.settings.audiences)
    return own or context.settings.universal_control is not None


def make_rows(context: StageContext, shipment: Shipment) -> DataFrame:
    """One row a person who may be delivered -> `person_id` and the columns of the file; for platforms as of
    `make_records`."""
    export, platform = shipment.export, shipment.platform
    columns = ["segment_id", "segment_name"] if platform else export.columns
    people = select_members(_members(context, shipment), shipment.segment_ids, columns, shipment.as_of, shipment.labels)
    if platform is None:
        return people
    valued = _add_values(context, export, people)
    if platform.purposes:
        granted = [_consenting(context, purpose) for purpose in platform.purposes]
        all_granted = reduce(lambda some, more: some.join(more, "person_id", "left_semi"), granted)
        marked = valued.join(all_granted.withColumn("granted", F.lit(True)), "person_id", "left")
        valued = marked.where(F.col("granted") | ~needs_purposes(platform, export.fields)).drop("granted")
    return make_records(valued, platform, export.fields)


def name_people(context: StageContext, shipment: Shipment, people: DataFrame) -> DataFrame:
    """`person_id` of people to be taken out -> the rows by which the destination finds them; who it would not find any
    more has none."""
    export, platform = shipment.export, shipment.platform
    if platform is None:
        return people
    nothing = F.lit(None).cast("string")
    nowhere = people.select("person_id", nothing.alias("segment_id"), nothing.alias("segment_name"))
    return keep_found(make_records(_add_values(context, export, nowhere), platform, export.fields))


def list_refusing(context: StageContext, shipment: Shipment) -> list[DataFrame]:
    """`person_id` of who said no to each of the purposes by which people are in it or not."""
    return [_refusing(context, purpose) for purpose in shipment.refusals]


def _add_values(context: StageContext, export: ExportSettings, people: DataFrame) -> DataFrame:
    identity = context.settings.identity
    return add_values(
        people,
        export.fields,
        context.read_or_empty("identity_map"),
        context.read_or_empty("vault"),
        context.read_or_empty("persons"),
        [kind for kind in identity.identifiers if identity.is_personal(kind)],
        export.min_confidence,
    )


def _members(context: StageContext, shipment: Shipment) -> DataFrame:
    """The people who may be delivered: rows as of `segments`, with nulls for those who are in no segment."""
    export, version = shipment.export, shipment.segment_version
    rows = context.read("segments").where(F.col("segment_version") == version)
    if export.audience is not None:
        inside = current_members(context.read("audience_members"), export.audience)
        if has_control_group(context, export):
            overall = () if context.settings.universal_control is None else (ALL_CAMPAIGNS,)
            controls = control_group(context.read_or_empty("holdouts"), export.audience, *overall)
            inside = inside.join(controls, "person_id", "left_anti")
        rows = inside.join(rows, "person_id", "left").withColumn("segment_version", F.lit(version).cast("long"))
    for purpose in shipment.purposes:
        rows = rows.join(_consenting(context, purpose), "person_id", "left_semi")
    for purpose in shipment.unless_refused:
        rows = rows.join(_refusing(context, purpose), "person_id", "left_anti")
    return rows


def _consenting(context: StageContext, purpose: str) -> DataFrame:
    return consenting_people(context.read_or_empty("consent"), context.read_or_empty("identity_map"), purpose)


def _refusing(context: StageContext, purpose: str) -> DataFrame:
    return refusing_people(context.read_or_empty("consent"), context.read_or_empty("identity_map"), purpose)
