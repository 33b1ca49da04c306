"""By what people come."""

from __future__ import annotations

from segmentation.contracts.feature_info import FeatureInfo

DEVICES_AND_CHANNELS = (
    FeatureInfo(
        "platforms",
        "platforms used",
        "platforms",
        "Different platforms.",
        "channels",
        "multi-channel",
        "single-channel",
        "use {value}",
    ),
    FeatureInfo(
        "platform_entropy",
        "spread over platforms",
        "bits",
        "Entropy of events over platforms: 0 for one platform, 1 for two used alike.",
        "channels",
        "multi-channel",
        "single-channel",
    ),
    FeatureInfo(
        "channels",
        "channels used",
        "channels",
        "Different channels that sessions came by.",
        "channels",
        "multi-channel",
        "single-channel",
        "come by {value}",
    ),
    FeatureInfo(
        "channel_entropy",
        "spread over channels",
        "bits",
        "Entropy of sessions over channels: 0 for one channel, 1 for two used alike.",
        "channels",
        "multi-channel",
        "single-channel",
    ),
    FeatureInfo(
        "devices",
        "devices used",
        "devices",
        "Different devices that sessions were on.",
        "devices",
        "cross-device",
        "one-device",
        "use {value}",
    ),
    FeatureInfo(
        "device_entropy",
        "spread over devices",
        "bits",
        "Entropy of sessions over devices: 0 for one device, 1 for two used alike.",
        "devices",
        "cross-device",
        "one-device",
    ),
)
