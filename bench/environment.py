"""Runs `dorefa` in unfriendly environments: each works, or says in one line why not.

    python bench/environment.py [CASE ...]

Prints a table `case | status | line`; the line is what went to standard error, or the last one of standard
output.
The status is 1 if a case ended otherwise than it is listed here. Cases that need root (a full disk, a folder
without permission) are left out for other users, those of Icarus where that is missing.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

GENERATE = "generate --preset tiny -o {place}/engine"
SIMULATE = "simulate {place}/small.npz --simulator verilator --limit 2"
AUTO = "simulate {place}/small.npz --limit 1"
ICARUS = "simulate {place}/small.npz --simulator icarus --limit 1"
SYNTH = "synth --unit dot --target ice40 --preset tiny"
BUILD = "build {place}/small.npz --board icebreaker --lanes 8 --rows 2 -o {place}/board"
ROUTE = SYNTH + " --pnr"


@dataclass
class Case:
    """A command (`{place}` is a folder of its own) in an environment, and how it has to end: `line` is in
    what it says. `variables` of None are unset; `before`, `after` and `limit` are shell commands."""

    name: str
    command: str
    status: int = 0
    line: str = ""
    variables: dict[str, str | None] = field(default_factory=dict)
    folder: str = "{place}"
    before: str = ":"
    after: str = ":"
    limit: str = ":"
    needs: str = ""


def temporary(name: str, folder: str, command: str, **more) -> Case:
    """A case of TMPDIR in a folder that is made."""
    path = "{place}/" + folder
    return Case(name, command, variables={"TMPDIR": path}, before=f"mkdir -p {shlex.quote(path)}", **more)


def compiler(name: str, value: str, command: str = SIMULATE, **more) -> Case:
    """A case of CXX."""
    return Case(name, command, variables={"CXX": value}, **more)


ODD = {"a space": "a b", "a quote": "a'b", "double quotes": 'a"b', "a semicolon": "a;b", "a hash": "a#b"}
ODD |= {"a tab": "a\tb", "a newline": "a\nb", "a colon": "a:b", "a dollar": "a$b", "other letters": "größe"}
SMALL = "mount -t tmpfs -o size=1m none {place}/small"
COCOTB = {
    "COCOTB_TEST_FILTER": "mine",
    "COCOTB_TEST_MODULES": "mine",
    "COCOTB_TESTCASE": "mine",
    "COCOTB_TOPLEVEL": "mine",
    "TOPLEVEL": "mine",
    "MODULE": "mine",
    "TESTCASE": "mine",
    "SIM": "questa",
    "GUI": "1",
    "WAVES": "1",
    "GPI_EXTRA": "mine",
    "GPI_USERS": "mine",
    "PYGPI_USERS": "mine",
    "LIBPYTHON_LOC": "/nowhere",
}
STEERED = {"MAKEFLAGS": "-n", "VERILATOR_ROOT": "/nowhere", "YOWASP_MOUNT": "/x=/nowhere"}
STEERED |= {"AMARANTH_nextpnr_opts": "--nonsense", "PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "2"}

CASES = [
    Case("working directory /", GENERATE, folder="/"),
    Case("working directory /, simulation", SIMULATE, folder="/"),
    Case("working directory /, synthesis", SYNTH, folder="/"),
    Case("working directory with spaces", GENERATE, folder="{place}/a b"),
    Case("working directory with other letters", SYNTH, folder="{place}/größe"),
    Case("working directory that was deleted", GENERATE, folder="{place}/gone", limit="rmdir {place}/gone"),
    *(temporary(f"TMPDIR with {name}", path, GENERATE) for name, path in ODD.items()),
    *(temporary(f"TMPDIR with {name}, simulation", path, SIMULATE) for name, path in ODD.items()),
    *(
        temporary(f"TMPDIR with {name}, Icarus", path, ICARUS, needs="icarus")
        for name, path in ODD.items()
        if name not in ("double quotes", "a newline")
    ),
    *(
        temporary(f"TMPDIR with {name}, Icarus", ODD[name], ICARUS, status=1, line="Icarus", needs="icarus")
        for name in ("double quotes", "a newline")
    ),
    *(
        temporary(f"TMPDIR with {name}, place and route", ODD[name], ROUTE)
        for name in ("a space", "a newline")
    ),
    temporary("TMPDIR with a space, bitstream", "a b", BUILD),
    Case("TMPDIR relative", GENERATE, variables={"TMPDIR": "own"}, before="mkdir {place}/own"),
    Case("TMPDIR below the working directory", GENERATE, variables={"TMPDIR": "/tmp"}, folder="/"),
    Case("TMPDIR that does not exist", GENERATE, variables={"TMPDIR": "/nowhere/at/all"}),
    Case("HOME not set", GENERATE, variables={"HOME": None}),
    Case(
        "HOME with spaces",
        SIMULATE,
        variables={"HOME": "{place}/my home", "XDG_CACHE_HOME": None},
        before="mkdir '{place}/my home'",
    ),
    Case("XDG_CACHE_HOME relative", SIMULATE, 1, "XDG_CACHE_HOME is 'own'", {"XDG_CACHE_HOME": "own"}),
    Case(
        "XDG_CACHE_HOME relative, no simulation", GENERATE, 1, "XDG_CACHE_HOME is", {"XDG_CACHE_HOME": "own"}
    ),
    Case("XDG_CACHE_HOME relative, no tool", "check digits", variables={"XDG_CACHE_HOME": "own"}),
    Case("cache in a file", SIMULATE, 1, "accepted: XDG_CACHE_HOME", before="touch {place}/cache/dorefa"),
    Case(
        "a full disk of caches",
        SIMULATE,
        1,
        "No space left on device; accepted: XDG_CACHE_HOME",
        {"XDG_CACHE_HOME": "{place}/small"},
        before="mkdir {place}/small && " + SMALL,
        after="umount {place}/small",
        needs="root",
    ),
    Case(
        "a disk of caches that can only be read",
        SIMULATE,
        1,
        "Read-only file system; accepted: XDG_CACHE_HOME",
        {"XDG_CACHE_HOME": "{place}/small"},
        before="mkdir {place}/small && " + SMALL + " && mount -o remount,ro {place}/small",
        after="umount {place}/small",
        needs="root",
    ),
    Case(
        "a disk of caches without programs",
        SIMULATE,
        1,
        "programs cannot be run there",
        {"XDG_CACHE_HOME": "{place}/small"},
        before="mkdir {place}/small && mount -t tmpfs -o size=64m,noexec none {place}/small",
        after="umount {place}/small",
        needs="root",
    ),
    Case(
        "tools' cache that cannot be written",
        GENERATE,
        1,
        "Yosys cannot be run",
        {"YOWASP_CACHE_DIR": "{place}/file/below"},
        before="touch {place}/file",
    ),
    *(
        Case(
            f"a full temporary disk, {name}",
            command,
            1,
            "o space left on",
            {"TMPDIR": "{place}/small"},
            before="mkdir {place}/small && " + SMALL.replace("1m", size),
            after="umount {place}/small",
            needs="root",
        )
        for name, command, size in (
            ("Verilog", "generate -o {place}/engine", "64k"),
            ("simulation", SIMULATE, "1m"),
            ("synthesis", SYNTH, "64k"),
        )
    ),
    Case(
        "files of at most 100 kB, Verilog",
        "generate -o {place}/engine",
        1,
        "ulimit -f",
        limit="ulimit -f 100",
    ),
    Case("files of at most 300 kB, simulation", SIMULATE, 1, "ulimit -f", limit="ulimit -f 300"),
    *(
        Case(
            f"compiled models that were {name}",
            SIMULATE,
            line="was damaged",
            before=f"XDG_CACHE_HOME={{place}}/cache {sys.executable} -m dorefa.cli {SIMULATE} > /dev/null && "
            f"for file in {{place}}/cache/dorefa/models/engine-*/engine; do {how}; done",
        )
        for name, how in (("truncated", "truncate -s 1000 $file"), ("made unusable", "chmod -x $file"))
    ),
    compiler("compiler that fails", "/bin/false", status=1, line="/bin/false --version does not work"),
    compiler("compiler that does nothing", "/bin/true", status=1, line="accepted: a"),
    compiler(
        "compiler that is not there",
        "no-such-compiler",
        status=1,
        line="CXX is 'no-such-compiler', not found",
    ),
    compiler("compiler with an open quote", "g++ 'x", status=1, line="No closing quotation"),
    compiler("compiler with a wrong option", "g++ -fno-such", status=1, line="-fno-such"),
    compiler("compiler with an option", "g++ -pipe"),
    Case(
        "compiler in a folder with spaces",
        SIMULATE,
        variables={"CXX": "{place}/my tools/g++"},
        before="mkdir '{place}/my tools' && ln -s $(command -v g++) '{place}/my tools/g++'",
    ),
    compiler("compiler that fails, any simulator", "/bin/false", AUTO, line="(not verilator: /bin/false"),
    compiler("compiler with a wrong option, any simulator", "g++ -fno-such", AUTO, line="(not verilator: "),
    Case("variables of other benches", ICARUS, variables=COCOTB, needs="icarus"),
    Case("variables that steer tools", GENERATE, variables=STEERED),
    Case("variables that steer tools, simulation", SIMULATE, variables=STEERED),
    Case("variables that steer tools, bitstream", BUILD, variables=STEERED),
    Case("LC_ALL=C", GENERATE, variables={"LC_ALL": "C"}, folder="{place}/größe"),
    Case(
        "LC_ALL=C without UTF-8",
        SIMULATE,
        variables={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        folder="{place}/größe",
    ),
    Case("PATH empty", SIMULATE, 1, "no C++ compiler", variables={"PATH": ""}),
]


def run(case: Case, place: Path) -> tuple[int, str]:
    """(status, what was said in a line) of a case in the folder `place`."""

    def filled(text):
        return text.replace("{place}", str(place))

    variables = {"XDG_CACHE_HOME": "{place}/cache", "YOWASP_CACHE_DIR": str(YOWASP)} | case.variables
    if variables["XDG_CACHE_HOME"] == "own" and case.name.endswith("no simulation"):
        variables["YOWASP_CACHE_DIR"] = None
    environment = dict(os.environ)
    for name, value in variables.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = filled(value)
    folder = Path(filled(case.folder))
    folder.mkdir(exist_ok=True)
    subprocess.run(["sh", "-c", filled(case.before)], check=True)
    command = [sys.executable, "-m", "dorefa.cli", *filled(case.command).split(" ")]
    script = f"{filled(case.limit)}; exec {shlex.join(command)}"
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True
        )
    finally:
        subprocess.run(["sh", "-c", filled(case.after)], check=True)
    said = done.stderr.strip() or done.stdout.strip()
    if not done.returncode and case.line:
        lines = (done.stdout + done.stderr).splitlines()
        return done.returncode, next((line for line in lines if case.line in line), said)
    return done.returncode, said if done.returncode else said.splitlines()[-1]


def possible(case: Case) -> bool:
    """Whether the case can be tried here."""
    if case.needs == "root":
        return os.geteuid() == 0 and shutil.which("mount") is not None
    return case.needs != "icarus" or shutil.which("iverilog") is not None


YOWASP = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "YoWASP")


def main() -> int:
    """Tries the cases that are named, or all."""
    from dorefa.golden import random_network
    from dorefa.golden.network import npz

    wrong = 0
    print("| case | status | line |\n|---|---|---|", flush=True)
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="environment-")))
        cache = base / "cache"  # of models, for those cases that do not bring one
        for number, case in enumerate(case for case in CASES if possible(case)):
            if sys.argv[1:] and not any(part in case.name for part in sys.argv[1:]):
                continue
            place = base / str(number)
            place.mkdir()
            (place / "cache").mkdir()
            network = random_network(5, w_bits=2, a_bits=3, conv_layers=2, max_macs=20_000, max_size=8)
            npz.save(network, place / "small.npz")
            if "cache in" not in case.name and "compiler" not in case.name:
                cache.mkdir(exist_ok=True)
                (place / "cache").rmdir()
                (place / "cache").symlink_to(cache)
            status, line = run(case, place)
            good = status == case.status and case.line in line and (not status or line.count("\n") == 0)
            good &= "Traceback" not in line and status in (0, 1)
            wrong += not good
            shown = line.replace(str(place), "PLACE").replace("|", "/")
            print(f"| {case.name} | {status} | {'' if good else 'WRONG: '}{shown} |", flush=True)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
