"""Scenarios one by one: what an engine did, and what that means."""

from __future__ import annotations

import random
from dataclasses import dataclass

from dorefa.hw.interface.register import Access
from dorefa.hw.interface.registers import REGISTERS

from . import host_scenarios, stream_scenarios  # noqa: F401  (they register their kinds)
from .player import Operation, Player, Seen
from .scenarios import KINDS, Scenario, plain
from .subjects import WATCHDOG, Program, Subject

# More than the watchdog's limit, and what goes before it.
_CYCLES = 2 * WATCHDOG + 10_000
_STATUS = REGISTERS["status"]
_EVENTS = [own for own in _STATUS.fields if own.access is Access.CLEAR]
_FREE = [REGISTERS[name].offset for name in ("control", "status", "interrupts")]
# What an engine may do.
RIGHT, TOLD, WRONG, SILENT = "right", "told", "wrong", "silent"
# A wrong answer without a mark, but the status tells.
TOLD_WRONG = "wrong, told"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Of a scenario: `outcome` (RIGHT: every image that was sent got its right answer; TOLD: not, and a mark,
    a status bit or an answer on the bus says so; WRONG: a wrong answer and none of these; SILENT: no answer
    and none of these); the outcome of the `next` image, without any reset; whether the one behind the host's
    reset was, so that nothing needs `rst` (`back`); `violations` of protocols; `flags`, the status bits."""

    outcome: str
    next: str
    back: bool
    violations: list[str]
    flags: list[str]

    def problem(self) -> str:
        """What should not be, in a line; nothing where all is well."""
        found = [] if self.outcome in (RIGHT, TOLD) else [self.outcome]
        found += [] if self.next in (RIGHT, TOLD) else [f"the next image {self.next}"]
        found += [] if self.back else ["no way back but rst"]
        return ", ".join(found + self.violations)


def kinds_of(subject: Subject) -> list[str]:
    """The kinds that the engine can have."""
    config = subject.program.compiled.config
    skipped = set()
    if config.weights == "onchip":
        skipped.add("weight packets")
    if not subject.trunk_plan:
        skipped.add("trunk packets")
    return [name for name, (group, _) in KINDS.items() if group not in skipped]


def draw(subject: Subject, seed: int) -> tuple[str, Scenario]:
    """(kind, scenario) of a seed."""
    rng = random.Random(f"{subject.name} {seed}")
    kinds = kinds_of(subject)
    name = kinds[seed % len(kinds)]
    return name, KINDS[name][1](rng, subject)


def run(player: Player, subject: Subject, scenario: Scenario) -> Verdict:
    """The scenario on an engine behind `rst`, and what comes after it."""
    player.reset()
    program = scenario.program or subject.program
    load = _written(player, scenario.load)
    seen = player.play(
        cycles=_CYCLES,
        packets=len(scenario.sent),
        images=scenario.images,
        weights=scenario.weights,
        operations=scenario.operations,
        trunks=scenario.trunks,
        stalls=scenario.stalls,
        reset=scenario.reset,
        deaf=scenario.deaf,
        quiet=100,
    )
    status, left = _status(player), seen.left[1]
    flags = [own.name for own in _EVENTS if status[own.name]]
    outcome = _outcome(scenario, program, load, seen, bool(flags))
    violations = load.violations + seen.violations
    # The stream of weights goes on where it was; what the host did wrong is done again right.
    wrote = any(
        own.write and own.strobes == 15 and own.address not in _FREE and not answer.response
        for own, answer in zip(scenario.operations, seen.answers, strict=False)
    )
    if scenario.reloads or wrote:
        violations += _written(player, subject.program.writes).violations
        left = 0
    _clear(player)
    weights = scenario.weights[len(scenario.weights) - left :] if left else []
    follows, more = _image(player, subject, 2, weights)
    if follows != RIGHT and any(_status(player)[own.name] for own in _EVENTS):
        follows = TOLD
    back, last = _way_back(player, subject)
    return Verdict(outcome=outcome, next=follows, back=back, violations=violations + more + last, flags=flags)


def _outcome(scenario: Scenario, program: Program, load: Seen, seen: Seen, flagged: bool) -> str:
    answers = [program.answers[number] for number in scenario.sent]
    told = flagged or seen.irq is not None or any(packet.with_error for packet in seen.packets)
    told |= any(answer.response for answer in (*load.answers, *seen.answers))
    unmarked = [packet.data for packet in seen.packets if not packet.with_error]
    matched = _in_order(unmarked, answers)
    right = matched == len(unmarked) and not seen.unfinished
    if scenario.reset[1]:  # which may cut a packet off
        right = matched == len(unmarked)
    if right and len(unmarked) >= (len(answers) if scenario.right is None else scenario.right):
        return RIGHT
    if scenario.right is not None:
        return SILENT if right else WRONG
    if told:
        return TOLD if right else TOLD_WRONG
    return SILENT if right else WRONG


def _in_order(found: list[bytes], answers: list[bytes]) -> int:
    """How many of `found` are answers, in their order."""
    count = 0
    for data in found:
        while answers and answers[0] != data:
            answers = answers[1:]
        if answers:
            answers, count = answers[1:], count + 1
    return count


def _written(player: Player, writes: list[tuple[int, int]]) -> Seen:
    operations = [Operation(0, True, 4 * address, word) for address, word in writes]
    return player.play(cycles=20 * len(writes) + 100, packets=0, operations=operations)


def _status(player: Player) -> dict[str, int]:
    seen = player.play(cycles=20, packets=0, operations=[Operation(0, False, _STATUS.offset)])
    return _STATUS.decode(seen.answers[0].word)


def _clear(player: Player) -> None:
    player.play(cycles=20, packets=0, operations=[Operation(0, True, _STATUS.offset, _STATUS.clear_word)])


def _image(player: Player, subject: Subject, number: int, weights: list) -> tuple[str, list[str]]:
    """What an image is answered; violations."""
    own = plain(subject, 1)
    seen = player.play(
        cycles=_CYCLES,
        packets=1,
        images=subject.program.image(number),
        weights=weights + own.weights,
    )
    answers = [None if packet.with_error else packet.data for packet in seen.packets]
    if answers == [subject.program.answers[number]]:
        return RIGHT, seen.violations
    if None in answers:
        return TOLD, seen.violations
    return WRONG if answers else SILENT, seen.violations


def _way_back(player: Player, subject: Subject) -> tuple[bool, list[str]]:
    """Whether an image behind the host's reset is answered right; violations."""
    control = REGISTERS["control"]
    operations = [
        Operation(0, True, control.offset, control.encode(reset=1)),
        Operation(50, True, control.offset, control.encode(enable=1)),
    ]
    seen = player.play(cycles=100, packets=0, operations=operations)
    _clear(player)
    right, violations = _image(player, subject, 3, [])
    flags = _status(player)
    back = right == RIGHT and not any(flags[own.name] for own in _EVENTS)
    return back, seen.violations + violations
