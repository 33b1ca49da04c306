"""When a delivery is not made: lists that a platform refuses, and removals that somebody has to look at first."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import DataFrame

from segmentation.activation.changes import Difference, is_forgotten
from segmentation.activation.delivery import Shipment
from segmentation.config.exports import PERSON_ID, ExportSettings
from segmentation.contracts.errors import DeliveryError


def check_size(shipment: Shipment, people: int) -> None:
    """Raises `DeliveryError` where the platform refuses a list for its size."""
    platform = shipment.platform
    if platform is None:
        return
    has = f"Nothing was delivered: the export '{shipment.export.name}' has {people:,} people, and {platform.name} takes"
    if platform.fewest_is_firm and people < platform.fewest:
        raise DeliveryError(f"{has} lists of at least {platform.fewest:,}: widen its audience.")
    if platform.most_rows is not None and people > platform.most_rows:
        raise DeliveryError(f"{has} {platform.most_rows:,} at most: deliver its `segments` apart.")


def check_removals(
    export: ExportSettings,
    difference: Difference,
    removed: DataFrame,
    refusing: Iterable[DataFrame],
    confirmed: bool = False,
) -> bool:
    """Raises `DeliveryError` where so many people would be removed that somebody has to look first; where that is
    `confirmed`, returns whether it was needed.

    `removed` and `refusing`: one row a person, `person_id`. Who said no or was erased does not count: that is carried
    out however many they are.
    """
    before = difference.removed + difference.changed + difference.unchanged
    most = export.max_removed_share * before
    if difference.removed <= most:
        return False
    counted = removed.where(~is_forgotten())
    for people in refusing:
        counted = counted.join(people, PERSON_ID, "left_anti")
    if (count := counted.count()) <= most:
        return False
    if confirmed:
        return True
    raise DeliveryError(
        f"Nothing was delivered: the export '{export.name}' would remove {count:,} of {before:,} people "
        f"({count / before:.0%}), more than its max_removed_share of {export.max_removed_share:.0%}. If that is meant, "
        f"run `segmentation export --confirm-removals {export.name}`."
    )


def warn_of_size(shipment: Shipment, people: int) -> str | None:
    """What the platform would rather have, where it takes the list all the same."""
    platform = shipment.platform
    if platform is None or people >= platform.fewest:
        return None
    return f"{platform.name} discourages lists of fewer than {platform.fewest:,}"
