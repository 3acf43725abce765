"""The generated Verilog as an executable: Verilator, a C++ compiler, and a cache of the outcome."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dorefa.golden.cache import Cache
from dorefa.golden.process.child import run
from dorefa.golden.process.python_tool import why_ended
from dorefa.golden.process.scratch import scratch_folder, scratch_root
from dorefa.hw.verilog.export import MODULE

from ..job.design import CORE, FIRST_READ, LAYER_DONE, MemoryArray
from ..job.errors import Unavailable
from .lint import verilator_command

# What a model is built with: a program that runs a job file, one that takes commands and sees ports only, or
# one that is the far end of a board's serial line.
HARNESS, SESSION, LINE = (
    Path(__file__).with_name(f"{name}.cpp") for name in ("harness", "session", "serial_line")
)
HEADERS = tuple(
    Path(__file__).with_name(f"harness_{part}.h")
    for part in ("basics", "commands", "fields", "job", "memories", "model", "streams", "trace", "variables")
)

VERILATOR_FLAGS = (
    "--cc",
    "-O3",
    "--prefix",
    "Vengine",
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
# What a model that writes a waveform is built with besides: of all signals, whatever their width, and of no
# memory.
TRACE_FLAGS = ("--trace", "--trace-max-width", "0")
_TRACE_DEFINES = ("-UVM_TRACE", "-DVM_TRACE=1", "-UVM_TRACE_VCD", "-DVM_TRACE_VCD=1")
FAST, SLOW = "-O2", "-O0"  # code of every cycle, and code that runs once or for few cycles
_LONG_RUN = 200_000  # cycles from which an optimized model pays
RUNTIME = ("verilated", "verilated_dpi", "verilated_threads", "verilated_vcd_c")
PROGRAM = "engine"
_ROOM = 16 << 20  # bytes, more than any compiled model so far
# Bytes of a source that is not worth a compiler run of its own, by optimization level.
_SMALL = {FAST: 100_000, SLOW: 1_500_000}


def is_long(cycles: int) -> bool:
    """Whether so many cycles are worth an optimized model, and several processes of it."""
    return cycles > _LONG_RUN


def cxx_command() -> list[str]:
    """The C++ compiler: ``CXX`` if set, else clang++, g++ or c++ on PATH; the program with its whole path.

    Raises :class:`.Unavailable` that says what to install.
    """
    if not (own := os.environ.get("CXX", "").strip()):
        for name in ("clang++", "g++", "c++"):
            if found := shutil.which(name):
                return [os.path.abspath(found)]
        raise Unavailable("no C++ compiler; accepted: g++ or clang++ on PATH, or CXX naming one")
    try:
        # A path with spaces in it, or a command with arguments.
        program, *arguments = [own] if shutil.which(own) else shlex.split(own)
    except ValueError as error:
        raise Unavailable(f"CXX is {own!r}: {error}; accepted: a C++ compiler") from None
    if (found := shutil.which(program)) is None:
        raise Unavailable(f"CXX is {own!r}, not found; accepted: a C++ compiler")
    return [os.path.abspath(found), *arguments]


def _output(command: list[str], variables: Mapping[str, str] | None = None) -> str:
    """Standard output and error of a command that only tells its version; :class:`.Unavailable` where it does
    not."""
    status, out, err = run(command, folder=scratch_root(), variables=variables)
    if status:
        reason = why_ended(status, err)
        raise Unavailable(f"{shlex.join(command)} does not work: {reason}; accepted: a program that does")
    return out + err


def _configuration(
    memories: Mapping[str, MemoryArray],
    wires: Iterable[tuple[str, str]],
    ports_only: bool,
    main: Path,
    top: str,
) -> str:
    """Verilator configuration that makes memories, status signals and `wires` reachable by name."""
    lines = ["`verilator_config"]
    lines += [f'public_flat_rd -module "{module}" -var "{name}"' for module, name in wires]
    if ports_only:
        return "\n".join(lines) + "\n"
    for module, name in sorted({(memory.module, memory.name) for memory in memories.values()}):
        lines.append(f'public_flat_rw -module "{module}" -var "{name}"')
    # Inlined dot units make functions so long that compilers take several times as long for them.
    lines.append(f'no_inline -module "{top}_dot"')
    for name in (LAYER_DONE, FIRST_READ) if main == HARNESS else ():
        lines.append(f'public_flat_rd -module "{top}_{CORE}" -var "{name}"')
    return "\n".join(lines) + "\n"


def _run(command: list[str], folder: Path, variables: Mapping[str, str] | None, what: str) -> None:
    """Runs a tool; RuntimeError where Verilator refuses the Verilog, else :class:`.Unavailable`."""
    status, out, err = run(command, folder=folder, variables=variables)
    if status:
        lines = [line.strip() for line in (out + err).splitlines() if "rror" in line]
        if lines and lines[0].startswith("%Error") and "engine.v:" in lines[0]:
            raise RuntimeError(f"{what} stopped with status {status}: {lines[0]}")
        reason = lines[0] if lines and status > 0 else why_ended(status, err)
        raise Unavailable(
            f"{what} failed: {reason}; accepted: one that works here, with memory enough and space in TMPDIR"
        )


# What compilers without C++20, linkers or libraries fail at, long before the model would.
_PROBE = "#include <coroutine>\n#include <thread>\nint main() { std::thread([] {}).join(); return 0; }\n"


def _check_compiler(cxx: list[str]) -> None:
    """Raises :class:`.Unavailable` unless a small program can be compiled, linked and run."""
    with scratch_folder() as folder:
        (folder / "probe.cpp").write_text(_PROBE)
        _run([*cxx, *CXX_FLAGS, "probe.cpp", "-o", "probe"], folder, None, shlex.join(cxx))
        status, _, err = run([str(folder / "probe")], folder=folder)
    if status:
        raise Unavailable(
            f"what {shlex.join(cxx)} compiles does not run: {why_ended(status, err)}; accepted: a C++ "
            "compiler for this machine, and TMPDIR where programs can be run"
        )


def _compile(
    sources: Iterable[Path], cxx: list[str], flags: list[str], folder: Path, fast: str = FAST
) -> list[Path]:
    """Object files in `folder` of `sources`, compiled in parallel, the largest first.

    `fast` is the level of code that runs every cycle.
    """
    sources = sorted(sources, key=lambda source: ("Slow" in source.name, -(folder / source).stat().st_size))

    def compile_one(source: Path) -> Path:
        level = SLOW if "Slow" in source.name else fast
        target = f"{source.stem}.o"
        _run([*cxx, *CXX_FLAGS, *flags, level, "-c", str(source), "-o", target], folder, None, cxx[0])
        return folder / target

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(compile_one, sources))


def _runtime(include: Path, cxx: list[str], key: str) -> Path:
    """Folder with the object files of Verilator's own run-time library, compiled once for all models."""
    cache, name = Cache("models"), f"runtime-{key}"
    if found := cache.find(name):
        return found
    _check_compiler(cxx)
    with scratch_folder() as folder:
        sources = [include / f"{part}.cpp" for part in RUNTIME]
        return cache.add(name, _compile(sources, cxx, _includes(include), folder))


def _includes(include: Path) -> list[str]:
    return [f"-I{include}", f"-I{include / 'vltstd'}"]


def _join_small(folder: Path, fast: str, main: Path) -> list[Path]:
    """Sources to compile of the model in `folder`/model: small ones joined, because each costs two seconds
    for its headers, with `main`; those of both kinds where `fast`, the level of code that runs every cycle,
    is that of the others."""
    sources = sorted((folder / "model").glob("*.cpp"))
    groups = {
        kind: [path for path in sources if ("Slow" in path.name) == bool(kind)] for kind in ("", "Slow")
    }
    if fast == SLOW:
        groups = {"": sources}
    result = []
    for kind, group in groups.items():
        small = [source for source in group if source.stat().st_size < _SMALL[fast]]
        result += [source for source in group if source not in small]
        parts = [f"model/{source.name}" for source in small] + ([] if kind else [str(main)])
        joined = folder / f"joined{kind}.cpp"
        joined.write_text("".join(f'#include "{part}"\n' for part in parts))
        result.append(joined)
    return [source.relative_to(folder) for source in result]


def _build_model(
    verilog: str,
    top: str,
    configuration: str,
    cxx: list[str],
    runtime: Path,
    folder: Path,
    fast: str,
    main: Path,
    trace: bool,
) -> Path:
    """Builds the executable in `folder`."""
    verilator, variables = verilator_command()
    (folder / "engine.v").write_text(verilog)
    (folder / "engine.vlt").write_text(configuration)
    command = [
        *verilator,
        *VERILATOR_FLAGS,
        "--top-module",
        top,
        *(TRACE_FLAGS if trace else ()),
        "--Mdir",
        "model",
        "engine.vlt",
        "engine.v",
    ]
    _run(command, folder, variables, "Verilator")
    # Paths relative to the folder: a compiler need not understand what is in that of the folder.
    # The headers, of a `main` that lies elsewhere.
    flags = [f'-DENGINE_TOP="{top}"', "-Imodel", f"-I{HARNESS.parent}", *_includes(_include_directory())]
    flags += _TRACE_DEFINES if trace else ()
    objects = _compile(_join_small(folder, fast, main), cxx, flags, folder, fast)
    parts = [object_file.name for object_file in objects]
    parts += [str(runtime / f"{part}.o") for part in RUNTIME]
    _run([*cxx, *parts, "-pthread", "-o", PROGRAM], folder, None, cxx[0])
    return folder / PROGRAM


def _include_directory() -> Path:
    """Verilator's folder of headers and run-time sources."""
    verilator, variables = verilator_command()
    root = variables.get("VERILATOR_ROOT")
    root = root or _output([*verilator, "--getenv", "VERILATOR_ROOT"]).strip()
    if not root:
        raise Unavailable(f"{verilator[0]} does not tell its VERILATOR_ROOT; accepted: Verilator 5")
    return Path(root, "include")


def _digest(*parts: str) -> str:
    key = hashlib.sha256()
    for part in parts:
        key.update(part.encode() + b"\0")
    return key.hexdigest()[:32]


def build(
    verilog: str,
    memories: Mapping[str, MemoryArray],
    *,
    cycles: int,
    ports_only: bool = False,
    wires: Iterable[tuple[str, str]] = (),
    main: Path = HARNESS,
    top: str = MODULE,
    trace: bool = False,
) -> Path:
    """Path of the executable of this Verilog; built if it is not in the cache.

    memories: :func:`dorefa.sim.job.design.find_memories`; cycles: how many are to be simulated, because
    optimizing a model for a short run takes longer than it saves; ports_only: whether it is a netlist, driven
    and seen at its ports alone; wires: (module, name) of those that `main` looks at besides; main: the
    program around it, HARNESS, SESSION or LINE; top: the module; trace: whether it can write a waveform.
    Several processes may build the same model at once: whichever is first publishes it. Raises
    :class:`.Unavailable` when Verilator or the compiler is missing or does not work here,
    :class:`MachineError` when the cache cannot be written, RuntimeError when Verilator refuses the Verilog.
    """
    verilator, variables = verilator_command()
    cxx = cxx_command()
    configuration = _configuration(memories, wires, ports_only, main, top)
    tools = _digest(
        FAST,
        SLOW,
        *VERILATOR_FLAGS,
        *CXX_FLAGS,
        *(flag for flag in (*TRACE_FLAGS, *_TRACE_DEFINES) if trace),
        *RUNTIME,
        *cxx,
        _output([*cxx, "--version"]),
        _output([*verilator, "--version"], variables),
    )
    fast = FAST if is_long(cycles) else SLOW
    sources = [path.read_text() for path in sorted({main, *HEADERS, *main.parent.glob("*.h")})]
    name = f"engine-{_digest(verilog, top, configuration, *sources, fast, tools)}"
    cache = Cache("models", programs=True)
    if found := cache.find(name):
        return found / PROGRAM
    cache.check_writable(_ROOM)
    runtime = _runtime(_include_directory(), cxx, tools)
    with scratch_folder() as folder:
        executable = _build_model(verilog, top, configuration, cxx, runtime, folder, fast, main, trace)
        return cache.add(name, [executable]) / PROGRAM
