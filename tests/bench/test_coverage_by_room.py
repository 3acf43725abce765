"""The table of `make coverage`: percentages by room, the files with the most that does not run."""

import json
import runpy
from pathlib import Path

BENCH = Path(__file__).parents[2] / "bench"
PROGRAM = runpy.run_path(str(BENCH / "coverage_by_room.py"))


def summary(lines, covered_lines, branches=0, covered_branches=0):
    return {
        "summary": {
            "num_statements": lines,
            "covered_lines": covered_lines,
            "num_branches": branches,
            "covered_branches": covered_branches,
        }
    }


def test_statements_and_branches_count_alike():
    report = {"hw/a.py": summary(10, 10, 10, 5), "hw/b.py": summary(5, 5), "cli/c.py": summary(4, 1)}
    files = PROGRAM["measured"](json.dumps({"files": report}))
    assert files == {"hw/a.py": (15, 20), "hw/b.py": (5, 5), "cli/c.py": (1, 4)}
    assert [*PROGRAM["lines"](files, 1)] == [
        "| room | covered |",
        "|---|---|",
        "| cli | 25.0 % |",
        "| hw | 80.0 % |",
        "| all | 72.4 % |",
        "",
        "| file | covered | does not run |",
        "|---|---|---|",
        "| hw/a.py | 75.0 % | 5 |",
    ]


def test_nothing_is_covered_wholly():
    assert PROGRAM["percent"]([(0, 0)]) == PROGRAM["percent"]([]) == 100.0
