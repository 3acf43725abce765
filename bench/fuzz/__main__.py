"""Coverage-guided fuzzing of every reader of a user's file, with atheris (pip install 'dorefa[fuzz]').

    python bench/fuzz --seconds 360              all targets one after another, an hour and a half
    python bench/fuzz npz toml --seconds 60 --seed 7

Each input must be accepted or refused with an InputError of one line, within 5 seconds and 256 MiB.
Everything else is a fault: its smallest input goes to the folder --found, and the status is 1.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
# Seconds after which a worker counts as hanging: for starting, and for the input that it is at.
PATIENCE = 300


def campaign(target, seconds, seed, found):
    """The outcome of fuzzing one target, a dictionary: see `work`."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        command = [sys.executable, HERE, "worker", target, str(seconds), str(seed), folder, found]
        with open(Path(folder, "log"), "w+b") as log:
            status = "ended"
            try:
                status = subprocess.run(
                    command, stdout=log, stderr=log, timeout=seconds + PATIENCE
                ).returncode
            except subprocess.TimeoutExpired:
                status = f"none after {seconds + PATIENCE} s"
            log.seek(0)
            said = log.read().decode(errors="replace").splitlines()
        if not report.exists():
            sys.exit("\n".join(said[-20:]) or f"the worker ended with status {status}")
        outcome = json.loads(report.read_text())
        if status != 0:
            kept = found / f"{target}-stopped"
            for file in Path(folder).glob("input*"):
                kept.write_bytes(file.read_bytes())
            kept.with_suffix(".log").write_text("\n".join(said))
            outcome["faults"][f"worker: status {status}"] = str(kept)
    return outcome


def main():
    """Fuzzes what the command line names; prints a line per target."""
    from targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--found", type=Path, default=Path("found"), help="folder for inputs of faults")
    args = parser.parse_args()
    if unknown := set(args.targets) - set(TARGETS):
        parser.error(f"no target {min(unknown)}; accepted: {', '.join(TARGETS)}")
    args.found.mkdir(parents=True, exist_ok=True)
    print(f"seed {args.seed}")
    faults = {}
    for name in args.targets or TARGETS:
        outcome = campaign(name, args.seconds, args.seed, args.found.resolve())
        faults |= outcome["faults"]
        print(
            f"{name:12} {outcome['inputs']:>9,} inputs  {outcome['accepted']:>8,} accepted  "
            f"{outcome['refused']:>9,} refused  slowest {outcome['slowest']:.2f} s  "
            f"{outcome['mib']:.0f} MiB  {len(outcome['faults'])} faults",
            flush=True,
        )
    for fault, path in faults.items():
        print(f"{path}: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        from worker import work  # instruments what it imports

        work(*sys.argv[2:])
    sys.exit(main())
