"""Random ONNX graphs through the import, against onnxruntime, the qonnx executor and exact arithmetic.

    python bench/onnx_fuzz.py [--accepted 5000] [--seed 1] [--first 0] [--output different.onnx]

Stops at the first graph that is accepted and computed as something else, whose file stays at the path of
`--output`. `--first N --accepted 1` draws graph N of a seed again.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

# The generator belongs to the tests of the import.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "golden" / "onnx"))

from fuzz.campaign import Tally, run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accepted", type=int, default=5000, help="graphs that the import accepts")
    parser.add_argument("--seed", type=int, default=1, help="graphs depend on it and on their number alone")
    parser.add_argument("--first", type=int, default=0, help="number of the first graph")
    parser.add_argument("--output", type=Path, default=Path("different.onnx"), help="of a wrong graph")
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        tally = Tally(options.seed, options.first)
        for goal in (*range(500, options.accepted, 500), options.accepted):
            run(tally, goal, path)
            print(next(tally.lines()), flush=True)
            if tally.different:
                break
        if tally.different:
            options.output.write_bytes(path.read_bytes())
    print("\n".join([*tally.tables(), *tally.lines()]))
    print(f"{time.perf_counter() - start:.0f} s")
    if tally.different:
        raise SystemExit(f"{options.output} is accepted and computed as something else")


if __name__ == "__main__":
    main()
