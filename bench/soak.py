"""The soak: random networks on random engines in Verilator, bit-exact and with exactly predicted cycles.

    python bench/soak.py [--count 5000] [--seed 1] [--jobs N | --cluster ADDRESS]
    python bench/soak.py --architecture pipeline [--count 200] [--seed 1] [--jobs N | --cluster ADDRESS]

Up to 16 networks share an engine that is large enough for all of them; each runs once without stalls, where
cycles count, and once with stalls, some runs with a reset in between. Every tenth engine trains, and runs the
jobs of 16 random layers instead. A pipeline has a network of its own, which runs once at full speed, where
latency and interval count, and once with waits at random. What is done is kept: the same command goes on
where it stopped, unless dorefa or a tool has changed. Ends with status 1 where a case differs, or, from 5,000
networks on (200 of pipelines), where a declared bin of the coverage was never hit.

    python bench/soak.py --engine 10003
    python bench/soak.py --architecture pipeline --engine 10003

runs the cases of one engine or pipeline here and now, as after a failure.
"""

import argparse
import sys
import time
from pathlib import Path

# Random cases belong to the tests of the simulators.
sys.path.append(str(Path(__file__).parents[1]))

from dorefa.cli.command import handle_signals
from dorefa.synth.campaign.run import run_tasks
from tests.sim.regression import pipelines, soak

CAMPAIGNS = {"engine": soak, "pipeline": pipelines}
_SECONDS = 60


class Tally:
    """What the engines or pipelines of a campaign told: `results`, counts and the coverage of all of them."""

    def __init__(self, campaign=soak):
        self.results, self.cached, self.coverage = [], 0, campaign.coverage()
        self._noun = campaign.NOUN
        self._told = time.monotonic()

    def add(self, outcome):
        """Counts the outcome of an engine; a line a minute."""
        self.results.append(outcome.result)
        self.cached += outcome.cached
        self.coverage.add_names(outcome.result["bins"])
        if time.monotonic() - self._told > _SECONDS:
            self._told = time.monotonic()
            print(self.line(), flush=True)

    def cases(self, training):
        """(result, case) of all networks, or of all training layers."""
        return [
            (result, case)
            for result in self.results
            for case in result["cases"]
            if result["training"] == training
        ]

    @property
    def faults(self):
        """(result, case) of all cases with a fault, by seed."""
        every = [*self.cases(False), *self.cases(True)]
        return sorted(
            ((result, case) for result, case in every if case["fault"]), key=lambda own: own[1]["draw"]
        )

    def line(self):
        """The counts in one line."""
        networks, layers, engines = len(self.cases(False)), len(self.cases(True)), len(self.results)
        faults, cached, noun = len(self.faults), self.cached, self._noun
        trained = f" and {layers:,} training layers" if noun == soak.NOUN else ""
        return (
            f"{networks:,} networks{trained} on {engines:,} {noun}s, {faults:,} faults "
            f"({cached:,} {noun}s from the cache)"
        )

    def lines(self):
        """The whole story."""
        seconds = sum(result["seconds"] for result in self.results)
        cases = sum(len(result["cases"]) for result in self.results)
        yield self.line()
        yield f"{seconds:,.0f} s of processor time, {seconds / max(1, cases):.2f} s a case"
        cycles = sum(case["cycles"] for _, case in self.cases(False))
        yield f"{cycles:,} predicted cycles an image of all networks together"
        worst = sorted(self.results, key=lambda result: -result["seconds"])[:3]
        told = ", ".join(f"{result['seed']} ({result['seconds']:.0f} s)" for result in worst)
        yield f"{self._noun}s that took longest: {told}"
        yield from self.coverage.lines()
        for each in self.coverage.missing():
            yield f"never hit: {each}"
        yield from self.coverage.faults()
        if self.faults:
            yield from self._first(*self.faults[0])

    def _first(self, result, case):
        """All that is needed to see a fault again."""
        asked = "" if self._noun == soak.NOUN else f"--architecture {self._noun} "
        yield f"first fault: case {case['draw']} of {self._noun} {result['seed']}: {case['fault']}"
        yield f"again: python bench/soak.py {asked}--engine {result['seed']}"
        yield f"its configuration: {result['config']}"


def run(work, count, seed, jobs, cluster, campaign=soak):
    """A tally of at least `count` networks, on engines of the seeds 10,000 x `seed` and up."""
    tally, engines = Tally(campaign), 0
    while (missing := count - len(tally.cases(False))) > 0:
        more = -(-missing // campaign.CASES)
        # Some engines train, and not every one finds as many networks as it asks for.
        tasks = [campaign.task_of(10_000 * seed + number) for number in range(engines, engines + more)]
        for outcome in run_tasks(work, tasks, jobs=jobs, cluster=cluster):
            tally.add(outcome)
        engines += more
    print(f"seed {seed}: {campaign.NOUN}s {10_000 * seed} to {10_000 * seed + engines - 1}")
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", choices=CAMPAIGNS, default="engine", help="what runs the networks")
    parser.add_argument("--count", type=int, help="networks at least (default 5000, of pipelines 200)")
    parser.add_argument("--seed", type=int, default=1, help="of all draws")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, help="engines at a time (default: one per processor)")
    where.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler whose workers do it instead")
    parser.add_argument(
        "--draw-only", action="store_true", help="no simulation: what would be run, and its coverage"
    )
    where.add_argument("--engine", type=int, metavar="SEED", help="the cases of this one alone")
    options = parser.parse_args()
    handle_signals()
    campaign = CAMPAIGNS[options.architecture]
    if options.engine is not None:
        result, _ = campaign.WORK.do(campaign.task_of(options.engine))
        print(result["config"])
        print("\n".join(f"{case['draw']}: {case['fault'] or 'right'}" for case in result["cases"]))
        raise SystemExit(any(case["fault"] for case in result["cases"]))
    work = campaign.DRAWN if options.draw_only else campaign.WORK
    count = campaign.ALL_BINS if options.count is None else options.count
    tally = run(work, count, options.seed, options.jobs, options.cluster, campaign)
    print("\n".join(tally.lines()))
    if tally.faults or [*tally.coverage.faults()]:
        raise SystemExit("a case or the coverage is wrong")
    if count >= campaign.ALL_BINS and tally.coverage.missing():
        raise SystemExit("not every declared bin was hit")


if __name__ == "__main__":
    main()
