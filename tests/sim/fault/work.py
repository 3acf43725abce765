"""The campaign as tasks: so many scenarios of one engine each."""

from __future__ import annotations

from collections import Counter
from typing import Any

from dorefa.synth.campaign.work import Work

from .campaign import draw, run
from .scenarios import KINDS
from .subjects import STREAMS, netlist_subject, subject

WORK = Work(
    function="fault.work:scenarios",
    name="faults",
    folders=("tests/sim",),
    noun="group of scenarios",
    verb="run",
)
CHUNK = 50  # scenarios of a task
_CYCLES = 1_000_000  # that they take, about


def tasks(count: int, seed: int) -> list[dict[str, Any]]:
    """Tasks of at least `count` scenarios, of all subjects in turn."""
    names = [*STREAMS, "netlist"]
    return [
        {"subject": names[number % len(names)], "first": CHUNK * (number // len(names)), "seed": seed}
        for number in range(-(-count // CHUNK))
    ]


def scenarios(common: None, task: dict[str, Any]) -> dict[str, Any]:
    """What became of the scenarios of a task: `counts`, [group, outcome, outcome of the next image, number],
    and all that should not be, as lines of text (`faults`)."""
    name, seed = task["subject"], task["seed"]
    own = netlist_subject(seed) if name == "netlist" else subject(name, seed)
    counts: Counter[tuple[str, str, str]] = Counter()
    faults = []
    with own.player(seed, cycles=_CYCLES) as player:
        for number in range(task["first"], task["first"] + CHUNK):
            kind, scenario = draw(own, 100_000 * seed + number)
            verdict = run(player, own, scenario)
            counts[KINDS[kind][0], verdict.outcome, verdict.next] += 1
            if problem := verdict.problem():
                faults.append(f"{name}, scenario {number} of seed {seed}, {kind} {scenario.note}: {problem}")
    return {"counts": [[*key, count] for key, count in sorted(counts.items())], "faults": faults}
