"""The files that a user gets of an engine are a set: its manifests hold the SHA-256 of every other file, and
who reads a folder refuses a mixture."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dorefa.golden import checks
from dorefa.golden.errors import InputError
from dorefa.golden.files import PathName, write_files
from dorefa.golden.reading import json_of, read_bytes, shown

from ..compiler.compile import CompiledNetwork
from ..config.engine import EngineConfig
from ..interface.memory_map import MemoryMap
from ..interface.registers import VERSION
from ..verilog.export import MODULE, generator_version
from .manifest import engine_parts
from .names import checked_name
from .network_files import network_parts
from .testbench import BENCH, IMAGE, RESULTS, testbench_files

ENGINE, NETWORK = "engine.json", "network.json"
# All that a set may have, in the order in which they take their names: what describes others comes last.
NAMES = (
    "engine.v",
    "memories.v",
    "engine.h",
    "engine.vlt",
    "engine.core",
    "config.json",
    "load.bin",
    "weights.bin",
    BENCH,
    IMAGE,
    RESULTS,
    NETWORK,
    ENGINE,
)
# Of these none may lie beside a set that has not written it; config.json is a name that others use.
_OWN = ("memories.v", "load.bin", "weights.bin", BENCH, IMAGE, RESULTS, NETWORK)
_ACCEPTED = "the files of one `dorefa generate`"
# Of load.bin: an address and a word.
_WRITE_BYTES = 8


def interface_sha256(config: EngineConfig) -> str:
    """What a program must know of an engine to load a network, as a hash: equal where one load.bin serves.

    Of the parameters, the memory map, the version of the register map and the release, which knows how
    descriptors are encoded; not of the Verilog, which a preloaded network changes.
    """
    windows = [vars(window) for window in MemoryMap.of(config).windows]
    contents = [config.as_dict(), windows, VERSION, generator_version()]
    return sha256(json.dumps(contents, sort_keys=True).encode())


def sha256(content: bytes | bytearray) -> str:
    """The SHA-256 of bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def file_set(
    config: EngineConfig,
    compiled: CompiledNetwork | None = None,
    *,
    preload: bool = False,
    memory: str = "logic",
    librelane_period_ns: float | None = None,
    fabric: str | None = None,
    name: str = MODULE,
) -> dict[str, bytes]:
    """All files of an engine, {name: content}, and those of the network `compiled` for it, with a testbench.

    With `preload` the network is inside the Verilog. `memory`, `librelane_period_ns`, `fabric` and `name` as
    of :func:`.manifest.engine_parts`. engine.json has ``sha256`` of every other file and its
    :func:`interface_sha256`; network.json ``sha256`` of the files that it describes and, in ``engine``, the
    ``interface_sha256`` of the engines that these load and ``sha256`` of the engine.v it was written with.
    """
    files, network = ({}, {}) if compiled is None else network_parts(compiled, preloaded=preload)
    # Nobody but the family's own tools knows its cells.
    benched = compiled is not None and fabric is None
    texts, description = engine_parts(
        config,
        compiled if preload else None,
        memory=memory,
        librelane_period_ns=librelane_period_ns,
        fabric=fabric,
        name=name,
        bench_files=(*files, IMAGE, RESULTS) if benched else (),
    )
    contents = {file: text.encode() for file, text in texts.items()}
    interface = interface_sha256(config)
    if compiled is not None:
        if benched:
            contents |= testbench_files(compiled, description["ports"], files, name=name)
        engine = {"interface_sha256": interface, "sha256": sha256(contents["engine.v"])}
        network |= {"preloaded": preload, "engine": engine, "sha256": _hashes(files)}
        contents |= {NETWORK: _json(network), **files}
    description |= {"interface_sha256": interface, "sha256": _hashes(contents)}
    return {"engine.v": contents.pop("engine.v"), ENGINE: _json(description), **contents}


def _hashes(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: sha256(content) for name, content in contents.items()}


def _json(contents: Mapping[str, object]) -> bytes:
    return (json.dumps(contents, indent=2) + "\n").encode()


def write_set(folder: PathName, contents: Mapping[str, bytes]) -> None:
    """Writes a :func:`file_set` into `folder`, engine.json last: ended in between, the folder is no set, and
    :func:`read_set` says so.

    Files of the set that was there go, if they are as they were written and the new one has none of that
    name. InputError as of :func:`write_files`.
    """
    gone = [
        Path(folder, name)
        for name, digest in _former(folder).items()
        if name not in contents and _digest(Path(folder, name)) == digest
    ]
    write_files({Path(folder, name): contents[name] for name in sorted(contents, key=NAMES.index)}, gone=gone)


def paths(folder: PathName) -> list[Path]:
    """All files that a set in `folder` may have."""
    return [Path(folder, name) for name in NAMES]


def _former(folder: PathName) -> dict[str, str]:
    """SHA-256 by name of the set that is in `folder`, as far as its engine.json tells."""
    try:
        hashes = _description(Path(folder, ENGINE), _read(Path(folder, ENGINE)))["sha256"]
    except InputError:
        return {}
    return {name: digest for name, digest in hashes.items() if name in NAMES}


def _digest(path: Path) -> str | None:
    try:
        return sha256(_read(path))
    except InputError:
        return None


@dataclass(frozen=True, kw_only=True)
class FileSet:
    """A generated folder, checked: `contents` by name, the `engine` and `network` that the manifests describe
    (dictionaries; None without a network), the engine's `config` and its Verilog's `module`."""

    folder: Path
    contents: dict[str, bytes]
    engine: dict[str, Any]
    network: dict[str, Any] | None
    config: EngineConfig
    module: str


def read_set(folder: PathName) -> FileSet:
    """The :class:`FileSet` in `folder`. InputError, which names the file and both hashes, where it is not
    what one `dorefa generate` of this release wrote."""
    if not os.fspath(folder):
        raise InputError(f"'' is no folder; accepted: {_ACCEPTED}")
    folder = Path(folder)
    path = folder / ENGINE
    contents = {ENGINE: _read(path)}
    engine = _description(path, contents[ENGINE])
    hashes = engine["sha256"]
    for name in NAMES:
        if name in hashes:
            contents[name] = _read(folder / name)
            _compare(folder / name, sha256(contents[name]), hashes[name], ENGINE)
        elif name in _OWN and os.path.lexists(folder / name):
            raise InputError(f"{folder / name}: is not in {ENGINE}'s list of files; accepted: {_ACCEPTED}")
    config = config_of(path, engine)
    if not isinstance(engine.get("preloaded", False), str | None):
        raise InputError(
            f"{path}: preloaded is {shown(engine.get('preloaded'))}; accepted: a network's name or null"
        )
    network = None
    if NETWORK in contents:
        network = _network(folder, contents, engine)
    module = checked_name(engine.get("module"), f"{path}: module")
    if f"\nmodule {module}(".encode() not in contents["engine.v"]:
        raise InputError(f"{path}: module is {module!r}; accepted: a module of {folder / 'engine.v'}")
    return FileSet(
        folder=folder, contents=contents, engine=engine, network=network, config=config, module=module
    )


def _network(folder: Path, contents: Mapping[str, bytes], engine: Mapping[str, Any]) -> dict[str, Any]:
    """What network.json says, of the engine that engine.json describes."""
    path = folder / NETWORK
    network = _description(path, contents[NETWORK])
    for name, digest in network["sha256"].items():
        if name not in contents:
            raise InputError(f"{path}: its file {name} is not in {ENGINE}'s list; accepted: {_ACCEPTED}")
        _compare(folder / name, sha256(contents[name]), digest, NETWORK)
    _check_network(path, network)
    if len(contents.get("load.bin", b"")) % _WRITE_BYTES:
        size = len(contents["load.bin"])
        raise InputError(f"{folder / 'load.bin'}: has {size} bytes; accepted: pairs of an address and a word")
    own = network.get("engine")
    for key, expected in (
        ("interface_sha256", engine["interface_sha256"]),
        ("sha256", sha256(contents["engine.v"])),
    ):
        _compare(path, own.get(key) if isinstance(own, dict) else None, expected, ENGINE, f"engine {key}")
    return network


def _check_network(path: Path, network: Mapping[str, Any]) -> None:
    """Refuses a description of a network that lacks what its users read."""
    checks.integers(network.get("input_shape"), f"{path}: input_shape", ("height", "width", "channels"), 1)
    classes = checks.integer(network.get("classes"), f"{path}: classes", 1)
    if not isinstance(network.get("network"), str):
        raise InputError(f"{path}: network is {shown(network.get('network'))}; accepted: its name")
    results = network.get("results")
    if not isinstance(results, list) or not results or not all(map(_is_result, results)):
        raise InputError(f"{path}: results is {shown(results)}; accepted: layers with their shapes")
    for name in ("logit_scale", "logit_bias"):
        values = network.get(name)
        good = isinstance(values, list) and len(values) == classes
        if not good or not all(type(value) in (int, float) for value in values or ()):
            raise InputError(f"{path}: {name} is {shown(values)}; accepted: {classes} numbers, one a class")


def _is_result(result: object) -> bool:
    shape = result.get("shape") if isinstance(result, dict) else None
    return isinstance(shape, list) and len(shape) == 3 and all(type(size) is int for size in shape)


def config_of(path: PathName, contents: Mapping[str, Any], accepted: str = _ACCEPTED) -> EngineConfig:
    """The parameters of the engine that the `contents` of a file describe, if this release would make the
    same interface of them; else InputError, which says what is `accepted`."""
    values, default = contents.get("config"), EngineConfig().as_dict()
    if not isinstance(values, dict) or {name: type(value) for name, value in values.items()} != {
        name: type(value) for name, value in default.items()
    }:
        raise InputError(f"{path}: config is not that of an engine; accepted: {accepted} of this release")
    try:
        config = EngineConfig().replace(**values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    own = interface_sha256(config)
    _compare(path, contents.get("interface_sha256"), own, "this release", "interface_sha256", accepted)
    return config


def _compare(
    path: PathName,
    found: object,
    expected: object,
    where: str,
    what: str = "SHA-256",
    accepted: str = _ACCEPTED,
) -> None:
    if found != expected:
        raise InputError(f"{path}: {what} is {found}; accepted: {expected}, as {where} says, in {accepted}")


def _description(path: Path, content: bytes) -> dict[str, Any]:
    """The JSON object in a manifest that lists files with their hashes."""
    description = json_of(path, content, _ACCEPTED)
    if not isinstance(description, dict) or not isinstance(description.get("sha256"), dict):
        raise InputError(f"{path}: has no 'sha256' of its files; accepted: {_ACCEPTED} of this release")
    return description


def _read(path: Path) -> bytes:
    return bytes(read_bytes(path, _ACCEPTED))
