"""Interrupts `dorefa` at random times and looks for what stays behind.

    python bench/interrupts.py [--count 100] [--seed 1] [--longest 20] [--verbs generate,simulate,...]

The verbs in turn. First each runs to its end, which says how long it takes here; then it is interrupted after
a random part of that time (at most `--longest` seconds), as a terminal does (SIGINT to the process group), as
`kill -INT` does (to the process alone), twice in a row, with SIGTERM, or with SIGKILL. A run is as wanted if
its status is 130 (143 for SIGTERM), the last thing that it says is `dorefa: interrupted`, without a traceback
or a warning, and there are no processes of its session, no temporary files, no outputs and no half entries of
the cache. Of SIGKILL only processes are asked for, and that the next run removes the temporary folder. Times
before Python runs the first line of dorefa, when a signal ends it as any program, are left out (printed as
`start`). Prints a table; the status is 1 if any run was not as wanted.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

# What runs, in a folder with nothing in it; every output is in `out`, the cache is empty.
VERBS = {
    "generate": "generate --preset tiny -o out/engine",
    "simulate": "simulate small.npz --simulator verilator --limit 4 --output out/y.npy",
    "icarus": "simulate small.npz --simulator icarus --limit 2 --output out/y.npy",
    "synth": "synth --unit dot --target ice40 --pnr --preset tiny --json out/report.json",
    "train": "train digits -o out/mine.npz --data mnist --epochs 1",
    "explore": "explore small.npz --target ice40 --lanes 8,16 --rows 2 --jobs 2 -o out/explored",
    "build": "build small.npz --board icebreaker -o out/board --lanes 8 --rows 2",
}
KINDS = ("group", "group", "process", "twice", "term", "kill")
STATUS = {"term": 143, "kill": -signal.SIGKILL}
_PATIENCE = 10  # seconds until everything must be gone


class Place:
    """A folder of its own for one run: working, temporary and cache folders."""

    def __init__(self, folder: Path, inputs: Path) -> None:
        self.folder = folder
        for name in ("out", "tmp", "cache"):
            (folder / name).mkdir(parents=True)
        for path in inputs.iterdir():
            (folder / path.name).symlink_to(path)

    def start(self, arguments: str) -> subprocess.Popen:
        """The command at work, leader of a session."""
        own = {"TMPDIR": str(self.folder / "tmp"), "XDG_CACHE_HOME": str(self.folder / "cache")}
        tools = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "YoWASP")
        return subprocess.Popen(
            [sys.executable, "-m", "dorefa.cli", *arguments.split()],
            cwd=self.folder,
            env=os.environ | {"YOWASP_CACHE_DIR": str(tools)} | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def leftovers(self) -> list[str]:
        """Files that an interrupted run must not leave: finished entries of the cache may stay."""
        found = [
            path
            for name in ("out", "tmp")
            for path in (self.folder / name).rglob("*")
            if path.name != "mnist"
        ]
        found += (self.folder / "cache").rglob(".dorefa-*")
        return [str(path.relative_to(self.folder)) for path in found]

    def processes(self) -> list[str]:
        """Command lines of processes that work below this folder, or have its name in their environment."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                where = os.readlink(process / "cwd")
                environment = (process / "environ").read_bytes()
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if command and (where.startswith(str(self.folder)) or os.fsencode(self.folder) in environment):
                found.append(command[:100])
        return found


def interrupt(process: subprocess.Popen, kind: str) -> None:
    """Sends what `kind` says."""
    if kind in ("group", "twice"):
        os.killpg(process.pid, signal.SIGINT)
    if kind == "twice":
        time.sleep(random.random() / 50)
    if kind == "kill":
        process.kill()
    elif kind == "term":
        process.terminate()
    elif kind != "group":
        process.send_signal(signal.SIGINT)


def complaints(place: Place, process: subprocess.Popen, kind: str) -> list[str]:
    """What is not as wanted after an interruption."""
    try:
        said, _ = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return ["did not end"]
    found = []
    if process.returncode != STATUS.get(kind, 130):
        found.append(f"status {process.returncode}")
    if kind != "kill" and not re.search(r"\Adorefa: interrupted\n\Z|\ndorefa: interrupted\n\Z", said):
        found.append(f"said {said[-300:]!r}")
    if "Traceback" in said or "Warning" in said:
        found.append(f"said {said[-2000:]!r}")
    until = time.monotonic() + _PATIENCE
    while place.processes() and time.monotonic() < until:
        time.sleep(0.05)
    found += [f"process {command}" for command in place.processes()]
    if kind == "kill":
        # The next one to use the temporary folder tidies up.
        place.start("generate --preset tiny -o .").communicate()
    return found + [f"left {path}" for path in place.leftovers() if kind != "kill" or path.startswith("tmp")]


def make_inputs(folder: Path) -> None:
    """A small network and a data set of few images."""
    import gzip

    import numpy as np

    from dorefa.golden import random_network
    from dorefa.golden.network import npz
    from dorefa.golden.zoo.datasets import digits_sample

    npz.save(
        random_network(5, w_bits=2, a_bits=3, conv_layers=2, max_macs=20_000, max_size=8),
        folder / "small.npz",
    )
    images, labels = digits_sample()
    (folder / "mnist").mkdir()
    for part in ("train", "t10k"):
        for kind, array in {"images-idx3": images[:256, ..., 0], "labels-idx1": labels[:256]}.items():
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            path = folder / "mnist" / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes()))


def startup() -> float:
    """Seconds until Python runs the first line of dorefa, generously."""
    times = []
    for _ in range(5):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import dorefa.cli.command"], check=True)
        times.append(time.monotonic() - began)
    return max(times) * 1.5


def main() -> int:
    """Runs the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=20, help="seconds until an interruption, at most")
    parser.add_argument("--verbs", default=",".join(VERBS))
    args = parser.parse_args()
    verbs = args.verbs.split(",")
    # What is ignored here, as in the background of a shell, would be ignored there too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    generator, base = random.Random(args.seed), Path(tempfile.mkdtemp(prefix="interrupts-")).resolve()
    try:
        inputs = base / "inputs"
        inputs.mkdir()
        make_inputs(inputs)
        first = startup()
        whole = {}
        for verb in verbs:
            began = time.monotonic()
            process = Place(base / f"whole-{verb}", inputs).start(VERBS[verb])
            said, _ = process.communicate()
            if process.returncode:
                sys.exit(f"{verb} does not work here: {said}")
            whole[verb] = time.monotonic() - began
        print(
            f"seed {args.seed}; start {first:.2f} s; whole runs take "
            + ", ".join(f"{verb} {seconds:.1f} s" for verb, seconds in whole.items()),
            flush=True,
        )
        counts, wrong = Counter(), []
        for number in range(args.count):
            verb, kind = verbs[number % len(verbs)], KINDS[generator.randrange(len(KINDS))]
            place = Place(base / str(number), inputs)
            after = first + generator.random() * (min(args.longest, 0.95 * whole[verb]) - first)
            process = place.start(VERBS[verb])
            time.sleep(after)
            if process.poll() is not None:
                counts[verb, "ended before"] += 1
                process.communicate()
            else:
                interrupt(process, kind)
                found = complaints(place, process, kind)
                counts[verb, "as wanted" if not found else "wrong"] += 1
                if found:
                    wrong.append(f"{number}: {verb}, {kind} after {after:.2f} s: {'; '.join(found)}")
                    print(wrong[-1], flush=True)
            shutil.rmtree(place.folder, ignore_errors=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print("| verb | interrupted | as wanted | ended before |\n|---|---|---|---|")
    for verb in verbs:
        good, bad, early = (counts[verb, what] for what in ("as wanted", "wrong", "ended before"))
        print(f"| {verb} | {good + bad} | {good} | {early} |")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
