"""The generated Verilog as an executable: Verilator, a C++ compiler, and a cache of the outcome."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.hw.lint import verilator_command
from dorefa.hw.verilog import MODULE

from .design import CORE, FIRST_READ, LAYER_DONE

HARNESS = Path(__file__).with_name("harness.cpp")

VERILATOR_FLAGS = (
    "--cc", "-O3", "--prefix", "Vengine", "--top-module", MODULE,
    "--default-language", "1364-2005", "-Wno-fatal", "-Wno-lint", "-Wno-UNOPTFLAT",
    # What nothing has written is random, so that a read of it cannot go unseen.
    "--x-initial", "unique", "--x-assign", "unique",
)  # fmt: skip
CXX_FLAGS = (
    "-std=gnu++20", "-w", "-pthread", "-DVERILATOR=1",
    *(f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD",
                                    "TRACE_SAIF")),
)  # fmt: skip
FAST, SLOW = "-O2", "-O0"  # code of every cycle, and code that runs once


def cxx_command() -> list[str]:
    """The C++ compiler: ``CXX`` if set, else clang++, g++ or c++ on PATH.

    Raises :class:`InputError` that says what to install.
    """
    if os.environ.get("CXX"):
        command = shlex.split(os.environ["CXX"])
        if shutil.which(command[0]) is None:
            raise InputError(f"CXX is {os.environ['CXX']!r}, not found; accepted: a C++ compiler")
        return command
    for name in ("clang++", "g++", "c++"):
        if shutil.which(name):
            return [name]
    raise InputError("no C++ compiler; accepted: g++ or clang++ on PATH, or CXX naming one")


def cache_directory() -> Path:
    """Where compiled models are kept: ``$XDG_CACHE_HOME/dorefa`` or ``~/.cache/dorefa``."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dorefa"


def _output(command, environment=None):
    """Standard output and error of a command that only tells its version."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def _configuration(memories) -> str:
    """Verilator configuration: memories and status signals are reachable, dot units stay apart."""
    lines = ["`verilator_config"]
    for module, name in sorted({(memory.module, memory.name) for memory in memories.values()}):
        lines.append(f'public_flat_rw -module "{module}" -var "{name}"')
    for name in (LAYER_DONE, FIRST_READ):
        lines.append(f'public_flat_rd -module "{MODULE}_{CORE}" -var "{name}"')
    return "\n".join(lines) + "\n"


def _run(command, directory, environment, what):
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "rror" in line] or ["no message"]
        raise RuntimeError(f"{what} stopped with status {done.returncode}: {lines[0].strip()}")


def _compile(verilog, configuration, port_bytes, directory):
    """Builds the executable ``engine`` in `directory`."""
    verilator, environment = verilator_command()
    cxx = cxx_command()
    root = environment.get("VERILATOR_ROOT") or _root(verilator)
    Path(directory, "engine.v").write_text(verilog)
    Path(directory, "engine.vlt").write_text(configuration)
    command = [*verilator, *VERILATOR_FLAGS, "--Mdir", "model", "engine.vlt", "engine.v"]
    _run(command, directory, environment, "Verilator")
    include = Path(root, "include")
    sources = [*sorted(Path(directory, "model").glob("*.cpp")), HARNESS]
    sources += [include / f"verilated{part}.cpp" for part in ("", "_dpi", "_threads")]
    includes = [f"-I{path}" for path in (Path(directory, "model"), include, include / "vltstd")]

    def build(source):
        level = SLOW if "Slow" in source.name else FAST
        target = Path(directory, f"{source.stem}.o")
        command = [*cxx, *CXX_FLAGS, level, f"-DPORT_BYTES={port_bytes}", *includes]
        _run([*command, "-c", str(source), "-o", str(target)], directory, environment, cxx[0])
        return target

    # The largest first, so that no long one is left to run alone at the end.
    sources.sort(key=lambda source: ("Slow" in source.name, -source.stat().st_size))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        objects = list(pool.map(build, sources))
    _run([*cxx, *map(str, objects), "-pthread", "-o", "engine"], directory, environment, cxx[0])


def _root(verilator):
    """VERILATOR_ROOT of a Verilator that is installed."""
    found = _output([*verilator, "--getenv", "VERILATOR_ROOT"]).strip()
    if not found:
        raise InputError(f"{verilator[0]} does not tell its VERILATOR_ROOT; accepted: Verilator 5")
    return found


def build(verilog: str, memories, *, port_bytes: int) -> Path:
    """Path of the executable of this Verilog; built if it is not in the cache.

    memories: :func:`dorefa.sim.design.find_memories`. Several processes may build the same model at
    once: whichever is first publishes it. Raises :class:`InputError` when Verilator or the compiler
    is missing, RuntimeError when one of them fails.
    """
    verilator, environment = verilator_command()
    cxx = cxx_command()
    configuration = _configuration(memories)
    key = hashlib.sha256()
    for part in (
        verilog, configuration, HARNESS.read_text(), str(port_bytes), FAST, SLOW,
        *VERILATOR_FLAGS, *CXX_FLAGS, *cxx, _output([*cxx, "--version"]),
        _output([*verilator, "--version"], environment),
    ):  # fmt: skip
        key.update(part.encode() + b"\0")
    models = cache_directory() / "models"
    published = models / key.hexdigest()[:32]
    if published.exists():
        return published
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{models}: {error.strerror}; accepted: a folder for compiled models") from error
    with tempfile.TemporaryDirectory(prefix="dorefa_") as directory:
        _compile(verilog, configuration, port_bytes, directory)
        arriving = models / f"{published.name}.{os.getpid()}"
        shutil.copy2(Path(directory, "engine"), arriving)
        os.replace(arriving, published)
    return published
