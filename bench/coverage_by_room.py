"""Branch coverage of Python by room, and the least covered files, of what `make coverage` measured.

    python bench/coverage_by_room.py [--files 20]

A figure is (statements + branches that ran) / (all of them), as coverage.py counts. Status 1 below 95 %.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
LEAST = 95.0  # percent


def measured(text):
    """{file: (covered, all) statements and branches} of coverage.py's JSON report."""
    files = json.loads(text)["files"]
    return {name: _counts(own["summary"]) for name, own in files.items()}


def _counts(summary):
    covered = summary["covered_lines"] + summary.get("covered_branches", 0)
    return covered, summary["num_statements"] + summary.get("num_branches", 0)


def percent(counts):
    """Percent of (covered, all) pairs together; 100 of nothing."""
    covered, whole = (sum(own) for own in zip(*counts, strict=True)) if counts else (0, 0)
    return 100 * covered / whole if whole else 100.0


def lines(files, most):
    """The tables: rooms, and the `most` files with the most that did not run."""
    rooms = defaultdict(list)
    for name, counts in files.items():
        rooms[name.partition("/")[0]].append(counts)
    yield from ("| room | covered |", "|---|---|")
    yield from (f"| {room} | {percent(own):.1f} % |" for room, own in sorted(rooms.items()))
    yield from (f"| all | {percent([*files.values()]):.1f} % |", "")
    yield from ("| file | covered | does not run |", "|---|---|---|")
    for name, counts in sorted(files.items(), key=lambda item: item[1][0] - item[1][1])[:most]:
        if counts[0] < counts[1]:
            yield f"| {name} | {percent([counts]):.1f} % | {counts[1] - counts[0]} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=20, help="how many of the least covered to tell")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(report)]
        subprocess.run(command, cwd=ROOT, check=True)
        files = measured(report.read_text())
    print("\n".join(lines(files, options.files)))
    if (found := percent([*files.values()])) < LEAST:
        raise SystemExit(f"{found:.1f} % is covered; accepted: at least {LEAST:.0f} %")


if __name__ == "__main__":
    main()
