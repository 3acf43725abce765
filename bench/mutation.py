"""Mutation of the hardware: changes in the source of each component, which its own tests have to find.

    python bench/mutation.py [--mutants 50] [--seed 1] [--components popcount,dot,...] [--jobs 2]
                             [--cluster tcp://host:8786] [--show]

Prints a table and every survivor; the status is 1 where fewer than 99 % of the mutants that are not
equivalent are killed. Results are kept in dorefa's cache as they come: the same command goes on where it
stopped, and tests again only after a change of the source or the tests. `--show` prints what became of
every mutant.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from dorefa.golden.errors import InputError

# The campaign belongs to the tests of the hardware.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "hw"))

from mutator.campaign import GOAL, run_campaign
from mutator.components import COMPONENTS


def row(report):
    """A line of the table."""
    counts = Counter(report.outcome(mutant) for mutant in report.results)
    cells = [report.component, len(report.tested), len(report.killed), counts["equal"], counts["argued"]]
    cells += [len(report.survivors), f"{100 * report.score:.1f} %"]
    return "| " + " | ".join(map(str, cells)) + " |"


def described(report, mutant):
    """A line about a mutant."""
    result, file = report.results[mutant], COMPONENTS[report.component].module
    outcome = report.outcome(mutant)
    by = f" by {result['by'].split('/')[-1]}" if result.get("by") else ""
    count = f" in {result['configurations']} configurations" if "configurations" in result else ""
    return f"{file}:{mutant.line}: {outcome}{by}{count}: {mutant.name}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=50, help="of each, at least, or all that it has")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--components", default=",".join(COMPONENTS))
    parser.add_argument("--jobs", type=int, help="processes of this machine at a time, one per processor")
    parser.add_argument("--cluster", help="address of a Dask scheduler whose workers test instead")
    parser.add_argument("--show", action="store_true", help="what became of every mutant")
    options = parser.parse_args()
    try:
        reports = run_campaign(
            options.components.split(","),
            options.mutants,
            options.seed,
            jobs=options.jobs,
            cluster=options.cluster,
            progress=lambda line: print(line, file=sys.stderr, flush=True),
        )
    except InputError as error:
        raise SystemExit(str(error)) from None
    print(f"seed {options.seed}")
    print("| component | mutants | killed | proved equal | argued equal | survivors | killed of the others |")
    print("|---|---|---|---|---|---|---|")
    for report in reports:
        print(row(report))
    for report in reports:
        for mutant in report.results if options.show else report.survivors:
            print(described(report, mutant))
    return any(report.score < GOAL for report in reports)


if __name__ == "__main__":
    sys.exit(main())
