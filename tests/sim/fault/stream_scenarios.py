"""Faults of the streams of weights and trunks."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from .player import TrunkFault
from .scenarios import Beats, Scenario, changed, flatten, kind, plain
from .subjects import Subject


def _weights(
    rng: random.Random,
    subject: Subject,
    change: Callable[[list[Beats], int], list[Beats]],
    last: bool = False,
) -> Scenario:
    """The packets of the first image's weights after `change`, of which it gets the number of one."""
    scenario, packets = plain(subject), subject.program.weights
    at = len(packets) - 1 if last else rng.randrange(len(packets))
    return replace(
        scenario, weights=flatten(change(list(packets), at)) + flatten(packets), note=f"packet {at}"
    )


@kind("weight packets")
def shorter_weights(rng: random.Random, subject: Subject) -> Scenario:
    """Beats are missing."""

    def change(packets: list[Beats], at: int) -> list[Beats]:
        kept = packets[at][: rng.randrange(1, len(packets[at]))]
        return [*packets[:at], [*kept[:-1], changed(kept[-1], last=True)], *packets[at + 1 :]]

    return _weights(rng, subject, change)


@kind("weight packets")
def longer_weights(rng: random.Random, subject: Subject) -> Scenario:
    """Beats too many."""
    count = rng.choice((1, 2, 7, 300))

    def change(packets: list[Beats], at: int) -> list[Beats]:
        own = packets[at]
        more = [changed(own[0], last=number == count - 1) for number in range(count)]
        return [*packets[:at], [changed(beat, last=False) for beat in own] + more, *packets[at + 1 :]]

    return _weights(rng, subject, change)


@kind("weight packets")
def weights_without_last(rng: random.Random, subject: Subject) -> Scenario:
    """No TLAST, of any packet."""
    return _weights(rng, subject, _no_last)


@kind("weight packets")
def last_weights_without_last(rng: random.Random, subject: Subject) -> Scenario:
    """No TLAST of the last packet, and nothing behind it."""
    scenario = _weights(rng, subject, _no_last, last=True)
    return replace(scenario, weights=scenario.weights[: len(flatten(subject.program.weights))])


def _no_last(packets: list[Beats], at: int) -> list[Beats]:
    own = packets[at]
    return [*packets[:at], [*own[:-1], changed(own[-1], last=False)], *packets[at + 1 :]]


@kind("weight packets")
def lost_weights(rng: random.Random, subject: Subject) -> Scenario:
    """A packet that never comes."""
    return _weights(rng, subject, lambda packets, at: packets[:at] + packets[at + 1 :])


@kind("weight packets")
def repeated_weights(rng: random.Random, subject: Subject) -> Scenario:
    """A packet that comes twice."""
    return _weights(rng, subject, lambda packets, at: packets[: at + 1] + packets[at:])


@kind("weight packets")
def swapped_weights(rng: random.Random, subject: Subject) -> Scenario:
    """A packet that comes after the next one."""

    def change(packets: list[Beats], at: int) -> list[Beats]:
        at = min(at, len(packets) - 2)
        return [*packets[:at], packets[at + 1], packets[at], *packets[at + 2 :]]

    return _weights(rng, subject, change)


@kind("weight packets")
def lost_beat_of_weights(rng: random.Random, subject: Subject) -> Scenario:
    """A beat that never comes, TLAST or not."""

    def change(packets: list[Beats], at: int) -> list[Beats]:
        own = packets[at]
        beat = rng.randrange(len(own))
        return [*packets[:at], own[:beat] + own[beat + 1 :], *packets[at + 1 :]]

    return _weights(rng, subject, change)


@kind("trunk packets")
def wrong_trunks(rng: random.Random, subject: Subject) -> Scenario:
    """A packet of trunks that comes back otherwise than it left."""
    packet, fault = rng.randrange(len(subject.trunk_plan)), rng.choice(list(TrunkFault))
    return replace(plain(subject), trunks={packet: fault}, note=f"packet {packet} {fault.name}")
