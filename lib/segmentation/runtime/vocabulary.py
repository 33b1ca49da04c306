"""Features that the configuration does not name, but a table of the warehouse: the chosen steps of journeys."""

from __future__ import annotations

from segmentation.config.settings import Settings
from segmentation.features.chosen_steps import add_steps, choice_of, read_chosen
from segmentation.runtime.warehouse import Warehouse


def know_vocabulary(settings: Settings, warehouse: Warehouse) -> Settings:
    """The settings with the steps that were chosen by them, where any were: as if they had been declared."""
    if choice_of(settings.features) is None:
        return settings
    chosen = read_chosen(warehouse.read_or_empty("journey_vocabulary"), settings.features)
    return settings.model_copy(update={"features": add_steps(settings.features, chosen)})
