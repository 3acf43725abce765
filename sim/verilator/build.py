"""The generated Verilog as an executable: Verilator, a C++ compiler, and a cache of the outcome."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dorefa.golden.errors import InputError
from dorefa.golden.files import cache_directory
from dorefa.hw.verilog.export import MODULE

from ..job.design import CORE, FIRST_READ, LAYER_DONE, MemoryArray
from .lint import verilator_command

HARNESS = Path(__file__).with_name("harness.cpp")
HEADERS = tuple(Path(__file__).with_name(f"harness_{part}.h") for part in ("fields", "job", "ports"))

VERILATOR_FLAGS = (
    "--cc",
    "-O3",
    "--prefix",
    "Vengine",
    "--top-module",
    MODULE,
    "--default-language",
    "1364-2005",
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-UNOPTFLAT",
    # What nothing has written is random, so that a read of it cannot go unseen.
    "--x-initial",
    "unique",
    "--x-assign",
    "unique",
)
CXX_FLAGS = (
    "-std=gnu++20",
    "-w",
    "-pthread",
    "-DVERILATOR=1",
    *(
        f"-DVM_{name}=0"
        for name in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")
    ),
)
FAST, SLOW = "-O2", "-O0"  # code of every cycle, and code that runs once or for few cycles
_LONG_RUN = 200_000  # cycles from which an optimized model pays
# Bytes of a source that is not worth a compiler run of its own, by optimization level.
_SMALL = {FAST: 100_000, SLOW: 1_500_000}


def is_long(cycles: int) -> bool:
    """Whether so many cycles are worth an optimized model, and several processes of it."""
    return cycles > _LONG_RUN


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


def _output(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Standard output and error of a command that only tells its version."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.stdout + done.stderr


def _configuration(memories: Mapping[str, MemoryArray], ports_only: bool) -> str:
    """Verilator configuration that makes memories and status signals reachable by name."""
    if ports_only:
        return "`verilator_config\n"
    lines = ["`verilator_config"]
    for module, name in sorted({(memory.module, memory.name) for memory in memories.values()}):
        lines.append(f'public_flat_rw -module "{module}" -var "{name}"')
    # Inlined dot units make functions so long that compilers take several times as long for them.
    lines.append(f'no_inline -module "{MODULE}_dot"')
    for name in (LAYER_DONE, FIRST_READ):
        lines.append(f'public_flat_rd -module "{MODULE}_{CORE}" -var "{name}"')
    return "\n".join(lines) + "\n"


def _run(command: list[str], directory: str | Path, environment: dict[str, str] | None, what: str) -> None:
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "rror" in line] or ["no message"]
        raise RuntimeError(f"{what} stopped with status {done.returncode}: {lines[0].strip()}")


def _publish(built: Path, target: Path) -> Path:
    """Moves a finished file into the cache in one step; whoever comes first wins, all are equal."""
    arriving = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.copy2(built, arriving)
    os.replace(arriving, target)
    return target


def _compile(
    sources: Iterable[Path], cxx: list[str], flags: list[str], directory: str | Path, fast: str = FAST
) -> list[str]:
    """Object files of `sources`, compiled in parallel, the largest first.

    `fast` is the level of code that runs every cycle.
    """
    sources = sorted(sources, key=lambda source: ("Slow" in source.name, -source.stat().st_size))

    def compile_one(source: Path) -> str:
        level = SLOW if "Slow" in source.name else fast
        target = str(Path(directory, f"{source.stem}.o"))
        command = [*cxx, *CXX_FLAGS, *flags, level, "-c", str(source), "-o", target]
        _run(command, directory, None, cxx[0])
        return target

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(compile_one, sources))


def _runtime(include: Path, cxx: list[str], cache: Path, key: str) -> list[str]:
    """Object files of Verilator's own run-time library, compiled once for all models."""
    names = ("verilated", "verilated_dpi", "verilated_threads")
    targets = [cache / f"{name}-{key}.o" for name in names]
    if not all(target.exists() for target in targets):
        with tempfile.TemporaryDirectory(prefix="dorefa_") as directory:
            sources = [include / f"{name}.cpp" for name in names]
            _compile(sources, cxx, _includes(include), directory)
            for name, target in zip(names, targets, strict=True):
                _publish(Path(directory, f"{name}.o"), target)
    return [str(target) for target in targets]


def _includes(include: Path) -> list[str]:
    return [f"-I{include}", f"-I{include / 'vltstd'}"]


def _join_small(model_directory: Path, fast: str) -> list[Path]:
    """Sources to compile: small ones joined, because each costs two seconds for its headers; those of both
    kinds where `fast`, the level of code that runs every cycle, is that of the others."""
    sources = sorted(Path(model_directory).glob("*.cpp"))
    groups = {
        kind: [path for path in sources if ("Slow" in path.name) == bool(kind)] for kind in ("", "Slow")
    }
    if fast == SLOW:
        groups = {"": sources}
    result = []
    for kind, group in groups.items():
        small = [source for source in group if source.stat().st_size < _SMALL[fast]]
        if not kind:
            small.append(HARNESS)
        result += [source for source in group if source not in small]
        joined = Path(model_directory, f"joined{kind}.cpp")
        joined.write_text("".join(f'#include "{source}"\n' for source in small))
        result.append(joined)
    return result


def _build_model(
    verilog: str, configuration: str, cxx: list[str], runtime: list[str], directory: str, fast: str
) -> Path:
    """Builds the executable in `directory`."""
    verilator, environment = verilator_command()
    Path(directory, "engine.v").write_text(verilog)
    Path(directory, "engine.vlt").write_text(configuration)
    command = [*verilator, *VERILATOR_FLAGS, "--Mdir", "model", "engine.vlt", "engine.v"]
    _run(command, directory, environment, "Verilator")
    place = Path(directory, "model")
    flags = [f"-I{place}", *_includes(_include_directory())]
    objects = _compile(_join_small(place, fast), cxx, flags, directory, fast)
    executable = Path(directory, "engine")
    _run([*cxx, *objects, *runtime, "-pthread", "-o", str(executable)], directory, None, cxx[0])
    return executable


def _include_directory() -> Path:
    """Verilator's folder of headers and run-time sources."""
    verilator, environment = verilator_command()
    root = environment.get("VERILATOR_ROOT")
    root = root or _output([*verilator, "--getenv", "VERILATOR_ROOT"], environment).strip()
    if not root:
        raise InputError(f"{verilator[0]} does not tell its VERILATOR_ROOT; accepted: Verilator 5")
    return Path(root, "include")


def _digest(*parts: str) -> str:
    key = hashlib.sha256()
    for part in parts:
        key.update(part.encode() + b"\0")
    return key.hexdigest()[:32]


def build(
    verilog: str, memories: Mapping[str, MemoryArray], *, cycles: int, ports_only: bool = False
) -> Path:
    """Path of the executable of this Verilog; built if it is not in the cache.

    memories: :func:`dorefa.sim.job.design.find_memories`; cycles: how many are to be simulated, because
    optimizing a model for a short run takes longer than it saves; ports_only: whether it is a netlist, driven
    and seen at its ports alone. Several processes may build the same model at once: whichever is first
    publishes it. Raises :class:`InputError` when Verilator or
    the compiler is missing, RuntimeError when one of them fails.
    """
    verilator, environment = verilator_command()
    cxx = cxx_command()
    configuration = _configuration(memories, ports_only)
    tools = _digest(
        FAST,
        SLOW,
        *VERILATOR_FLAGS,
        *CXX_FLAGS,
        *cxx,
        _output([*cxx, "--version"]),
        _output([*verilator, "--version"], environment),
    )
    fast = FAST if is_long(cycles) else SLOW
    sources = [path.read_text() for path in (HARNESS, *HEADERS)]
    key = _digest(verilog, configuration, *sources, fast, tools)
    cache = cache_directory() / "models"
    published = cache / f"engine-{key}"
    if published.exists():
        return published
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{cache}: {error.strerror}; accepted: a folder for compiled models") from error
    runtime = _runtime(_include_directory(), cxx, cache, tools)
    with tempfile.TemporaryDirectory(prefix="dorefa_") as directory:
        executable = _build_model(verilog, configuration, cxx, runtime, directory, fast)
        return _publish(executable, published)
