"""What the shipped features are called, and what people with much or little of them are."""

from __future__ import annotations

from collections.abc import Mapping

from segmentation.contracts.feature_info import FeatureInfo
from segmentation.features.words.activity import ACTIVITY
from segmentation.features.words.calendar import CALENDAR
from segmentation.features.words.devices_and_channels import DEVICES_AND_CHANNELS
from segmentation.features.words.lifetime_value import LIFETIME_VALUE
from segmentation.features.words.purchases import PURCHASES
from segmentation.features.words.visits import VISITS

_SUBJECTS = (PURCHASES, LIFETIME_VALUE, ACTIVITY, VISITS, CALENDAR, DEVICES_AND_CHANNELS)

WORDS: Mapping[str, FeatureInfo] = {info.name: info for subject in _SUBJECTS for info in subject}
"""By the names of `config.feature_library`."""
