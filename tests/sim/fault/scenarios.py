"""The kinds of faults: how each of them is drawn for an engine."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from dorefa.hw.interface.registers import REGISTERS

from .player import Delayed, Operation, TrunkFault
from .subjects import SILENCE, Program, Subject

Beats = list[Delayed]


@dataclass(kw_only=True)
class Scenario:
    """What is sent. `load`: (word address, word) pairs; `images`: their beats, of the numbers `sent` of the
    program's images; `weights`: beats, `trunks`: faults; `operations` on the bus while they run; `right`: how
    many images must be answered right, where the others may be missing (None: all, or an error is told);
    `reloads`: what comes after the scenario loads the program again."""

    load: list[tuple[int, int]]
    images: Beats
    weights: Beats
    sent: list[int]
    trunks: dict[int, TrunkFault] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    program: Program | None = None
    right: int | None = None
    reloads: bool = False
    stalls: int = 0
    reset: tuple[int, int] = (0, 0)
    deaf: tuple[int, int] = (0, 0)
    note: str = ""


Draw = Callable[[random.Random, Subject], Scenario]
KINDS: dict[str, tuple[str, Draw]] = {}


def kind(group: str) -> Callable[[Draw], Draw]:
    """Registers a kind of a group under the function's name."""

    def add(draw: Draw) -> Draw:
        KINDS[draw.__name__] = group, draw
        return draw

    return add


def plain(subject: Subject, count: int = 2) -> Scenario:
    """Nothing is wrong: so many images."""
    program = subject.program
    numbers = list(range(count))
    return Scenario(
        load=list(program.writes),
        images=[beat for number in numbers for beat in program.image(number)],
        weights=[beat for _ in numbers for packet in program.weights for beat in packet],
        sent=numbers,
    )


def changed(beat: Delayed, **changes: int) -> Delayed:
    """A beat with other fields."""
    return beat._replace(beat=beat.beat._replace(**changes))


def _with_first_image(scenario: Scenario, subject: Subject, change: Callable[[Beats], Beats]) -> Scenario:
    image = subject.program.image(0)
    rest = scenario.images[len(image) :]
    return replace(scenario, images=change(image) + rest)


@kind("image packets")
def shorter_image(rng: random.Random, subject: Subject) -> Scenario:
    """Beats are missing at its end."""

    def change(beats: Beats) -> Beats:
        kept = beats[: rng.randrange(1, len(beats))] if len(beats) > 1 else [changed(beats[0], keep=0)]
        return [*kept[:-1], changed(kept[-1], last=True)]

    return _with_first_image(plain(subject), subject, change)


@kind("image packets")
def longer_image(rng: random.Random, subject: Subject) -> Scenario:
    """Beats too many, one to many."""
    count = rng.choice((1, 1, 2, 5, 100))

    def change(beats: Beats) -> Beats:
        return [changed(beat, last=False) for beat in beats] + [
            changed(beats[0], last=number == count - 1) for number in range(count)
        ]

    return _with_first_image(plain(subject), subject, change)


@kind("image packets")
def empty_image(rng: random.Random, subject: Subject) -> Scenario:
    """A packet without a byte."""
    scenario = plain(subject)
    first = changed(scenario.images[0], keep=0, last=True)
    return replace(scenario, images=[first, *scenario.images])


@kind("image packets")
def flipped_bit_of_keep(rng: random.Random, subject: Subject) -> Scenario:
    """TKEEP of a beat has another bit."""

    def change(beats: Beats) -> Beats:
        at = rng.randrange(len(beats))
        width = subject.program.compiled.config.port_bytes
        keep = beats[at].beat.keep ^ (1 << rng.randrange(width))
        return [*beats[:at], changed(beats[at], keep=keep), *beats[at + 1 :]]

    return _with_first_image(plain(subject), subject, change)


@kind("TLAST of images")
def image_without_last(rng: random.Random, subject: Subject) -> Scenario:
    """No TLAST, and another image behind it."""
    return _with_first_image(
        plain(subject), subject, lambda beats: [*beats[:-1], changed(beats[-1], last=False)]
    )


@kind("TLAST of images")
def last_image_without_last(rng: random.Random, subject: Subject) -> Scenario:
    """No TLAST, and nothing behind it."""
    scenario = plain(subject, 1)
    return replace(scenario, images=[*scenario.images[:-1], changed(scenario.images[-1], last=False)])


@kind("TLAST of images")
def early_last(rng: random.Random, subject: Subject) -> Scenario:
    """A TLAST too many in the middle."""

    def change(beats: Beats) -> Beats:
        at = rng.randrange(len(beats))
        return [*beats[:at], changed(beats[at], last=True), *beats[at + 1 :]]

    return _with_first_image(plain(subject), subject, change)


@kind("stalls and gaps")
def stalls(rng: random.Random, subject: Subject) -> Scenario:
    """Every port waits at random."""
    scenario = plain(subject)
    chance = rng.choice((10, 50, 90))

    def gaps(beats: Beats) -> Beats:
        return [
            beat._replace(delay=rng.randrange(20) if rng.randrange(100) < chance else 0) for beat in beats
        ]

    return replace(
        scenario, images=gaps(scenario.images), weights=gaps(scenario.weights), stalls=chance, right=2
    )


@kind("silence")
def silent_source(rng: random.Random, subject: Subject) -> Scenario:
    """A stream into the engine pauses for a long time, and goes on."""
    scenario = plain(subject)
    name = rng.choice(["images"] + (["weights"] if scenario.weights else []))
    beats = list(getattr(scenario, name))
    at = rng.randrange(len(beats))
    beats[at] = beats[at]._replace(delay=SILENCE)
    return replace(scenario, **{name: beats}, right=2)


@kind("silence")
def silent_sink(rng: random.Random, subject: Subject) -> Scenario:
    """Nobody takes results for a long time."""
    start = rng.randrange(2 * subject.program.compiled.cycles)
    return replace(plain(subject), deaf=(start, start + SILENCE), right=2)


@kind("silence")
def source_that_ends(rng: random.Random, subject: Subject) -> Scenario:
    """A stream into the engine pauses for ever."""
    scenario = plain(subject, 1)
    name = rng.choice(["images"] + (["weights"] if scenario.weights else []))
    beats = getattr(scenario, name)
    return replace(scenario, **{name: beats[: rng.randrange(1, len(beats))]})


@kind("resets")
def reset(rng: random.Random, subject: Subject) -> Scenario:
    """`rst` at any time."""
    at = rng.randrange(2 * subject.program.compiled.cycles)
    return replace(plain(subject), reset=(at, rng.choice((4, 5, 20))), right=0, reloads=True)


@kind("resets")
def soft_reset(rng: random.Random, subject: Subject) -> Scenario:
    """The host's reset at any time, for any time."""
    at = rng.randrange(2 * subject.program.compiled.cycles)
    control = REGISTERS["control"]
    lasts = rng.choice((0, 1, 50, 1000))
    operations = [
        Operation(at, True, control.offset, control.encode(reset=1, enable=rng.randrange(2))),
        Operation(at + lasts, True, control.offset, control.encode(enable=1)),
    ]
    return replace(plain(subject), operations=operations, right=0)


def flatten(packets: Sequence[Beats]) -> Beats:
    """The beats of packets, one behind the other."""
    return [beat for packet in packets for beat in packet]
