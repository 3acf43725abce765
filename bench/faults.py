"""The fault campaign: scenarios of wrong packets, streams, loads, registers, buses and resets, on the ports
of generated Verilog and of a netlist.

    python bench/faults.py [--count 5000] [--seed 1] [--jobs N | --cluster ADDRESS]

What is done is kept: the same command goes on where it stopped, unless dorefa or a tool has changed. Prints a
table of outcomes by group, and ends with status 1 where an answer was wrong or missing and nothing said so,
where a protocol was violated, or where nothing short of `rst` ended what was under way.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

# The scenarios belong to the tests of the simulators.
sys.path.append(str(Path(__file__).parents[1] / "tests" / "sim"))

from fault import work
from fault.campaign import RIGHT, TOLD

from dorefa.cli.command import handle_signals
from dorefa.synth.campaign.run import run_tasks


def table(counts):
    """Markdown: per group of scenarios how often what came out; `counts`: (group, outcome, next) ->
    number."""
    yield "| group | scenarios | all answers right | told | next image right without a reset |"
    yield "|---|---|---|---|---|"
    for group in [*dict.fromkeys(key[0] for key in counts), "all"]:
        own = {key: count for key, count in counts.items() if group in (key[0], "all")}
        total = sum(own.values())
        right, told = (sum(n for key, n in own.items() if key[1] == kind) for kind in (RIGHT, TOLD))
        follows = sum(n for key, n in own.items() if key[2] == RIGHT)
        yield f"| {group} | {total:,} | {right:,} | {told:,} | {follows:,} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=5000, help="scenarios at least")
    parser.add_argument("--seed", type=int, default=1, help="of all draws")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, help="processes at a time (default: one per processor)")
    where.add_argument("--cluster", metavar="ADDRESS", help="a Dask scheduler whose workers do it instead")
    args = parser.parse_args()
    if args.count < 1:
        parser.error(f"--count is {args.count}; accepted: at least 1")
    counts, faults = Counter(), []
    tasks = work.tasks(args.count, args.seed)
    for outcome in run_tasks(work.WORK, tasks, jobs=args.jobs, cluster=args.cluster):
        for *key, count in outcome.result["counts"]:
            counts[tuple(key)] += count
        faults += outcome.result["faults"]
    print(f"seed {args.seed}: {sum(counts.values()):,} scenarios, {len(faults):,} faults")
    print("\n".join(table(dict(sorted(counts.items())))))
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    handle_signals()
    sys.exit(main())
