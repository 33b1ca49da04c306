"""Removal effects of channels in a Markov chain of journeys: a small system of equations, on the driver."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

START, CONVERTED, LOST = "(start)", "(converted)", "(lost)"
"""States beside the channels; no channel has one of these names."""

Transitions = Mapping[tuple[str, str], int]
"""From a state to another -> how often."""


def removal_effects(transitions: Transitions) -> dict[str, float]:
    """Channel -> by which share fewer journeys would convert if whoever comes to it were lost there (Anderl, Becker,
    von Wangenheim and Schumann, 2016); 0 to 1."""
    channels = sorted({state for pair in transitions for state in pair} - {START, CONVERTED, LOST})
    whole = _chance(transitions, channels)
    if whole == 0:
        return dict.fromkeys(channels, 0.0)
    return {
        channel: 1 - _chance(transitions, [other for other in channels if other != channel]) / whole
        for channel in channels
    }


def _chance(transitions: Transitions, channels: list[str]) -> float:
    """The chance to convert from the start; a state that is neither among `channels` nor the end loses."""
    states = [START, *channels]
    place = {state: number for number, state in enumerate(states)}
    leaving = defaultdict[str, int](int)
    for (here, _), times in transitions.items():
        leaving[here] += times
    between, ending = np.eye(len(states)), np.zeros(len(states))
    for (here, there), times in transitions.items():
        if here in place:
            share = times / leaving[here]
            if there in place:
                between[place[here], place[there]] -= share
            elif there == CONVERTED:
                ending[place[here]] += share
    return float(np.linalg.solve(between, ending)[0])
