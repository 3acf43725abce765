"""One network in one .npz file: a JSON header and plain arrays, never a pickle.

The header (UTF-8 JSON as a uint8 array) carries the format's name and version and everything but
the arrays; those are called `layer<number>.<parameter>`. Loading trusts nothing: sizes are bounded
before anything is unpacked, and the network is checked like a new one. Version 1 knew chains only;
version 2 adds source, add and rescale.
"""

import io
import json
import os
import struct
import zipfile
from collections.abc import Iterable
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from .. import npy
from ..errors import InputError
from ..files import write_file
from ..reading import MAX_UNPACKED, opened, parse_json, reason, shown
from .layer import Layer
from .network import Network
from .parts import BatchNorm, Pool, Rescale

FORMAT = "dorefa network"
VERSION = 2

_ACCEPTED = "a network file (.npz)"
# The record that ends a zip file: mark, numbers of disks and entries, size and place of the directory,
# length of a comment. Before it, the locator of what larger files have.
_ZIP_END = struct.Struct("<4s4H2LH")
_ZIP_LOCATOR = 20
# Bytes of a zip file's directory, for some 10,000 layers.
_MAX_DIRECTORY = 1 << 22

_SCALARS = ("name", "kind", "w_bits", "encoding", "stride", "padding", "groups", "dilation", "a_bits")
_ARRAYS = ("codes", "scale", "weight", "bias")
_NORM_ARRAYS = ("gamma", "beta", "mean", "var")
_GRAPH = ("source", "add")
_RESCALE = ("f", "bits")
_RESCALE_ARRAYS = ("m", "b", "scale")
_POOL = ("kind", "kernel", "stride", "padding")


def save(network: Network, path: str | PathLike[str]) -> None:
    """Writes `network` to `path`: complete or not at all, the same bytes for the same network.

    InputError if the file cannot be written.
    """
    layers: list[dict[str, Any]] = []
    header = {
        "format": FORMAT,
        "version": VERSION,
        "name": network.name,
        "input_shape": network.input_shape,
        "input_bits": network.input_bits,
        "layers": layers,
    }
    arrays: dict[str, np.ndarray] = {}
    for number, layer in enumerate(network.layers):
        entry = {name: getattr(layer, name) for name in (*_SCALARS, *_GRAPH)}
        entry["pool"] = layer.pool and {name: getattr(layer.pool, name) for name in _POOL}
        entry["norm"] = layer.norm and {"eps": layer.norm.eps}
        entry["rescale"] = layer.rescale and {name: getattr(layer.rescale, name) for name in _RESCALE}
        entry["arrays"] = [name for name in _ARRAYS if getattr(layer, name) is not None]
        layers.append(entry)
        for name in entry["arrays"]:
            arrays[f"layer{number}.{name}"] = getattr(layer, name)
        for name in _NORM_ARRAYS if layer.norm else ():
            arrays[f"layer{number}.{name}"] = getattr(layer.norm, name)
        for name in _RESCALE_ARRAYS if layer.rescale else ():
            arrays[f"layer{number}.rescale.{name}"] = getattr(layer.rescale, name)
    text = json.dumps(header, indent=1).encode()
    arrays = {"header": np.frombuffer(text, np.uint8), **arrays}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            _write_array(archive, name, array)
    write_file(path, content.getvalue())


def _write_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array).reshape(array.shape), (1, 0))
    # ZipInfo's own time stamp is fixed (1980), unlike that of a name.
    info = zipfile.ZipInfo(f"{name}.npy")
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, buffer.getvalue())


def load(path: str | PathLike[str]) -> Network:
    """The Network in the file at `path`; InputError says what is wrong with the file."""
    with opened(path, _ACCEPTED, MAX_UNPACKED) as stream:
        arrays = _read_arrays(path, stream)
    try:
        return _network(arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read_arrays(path: str | PathLike[str], stream: BinaryIO) -> dict[str, np.ndarray]:
    """Name -> array of a zip file of .npy files, unpacked only within MAX_UNPACKED."""
    try:
        _check_directory(stream)
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            _check_entries(path, entries)
            arrays = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                arrays[name] = _read_array(archive, entry, f"{path}: array {shown(name)[1:-1]}")
            return arrays
    except (InputError, MemoryError):
        raise
    # A damaged zip file raises whatever its first bad byte leads to.
    except Exception as error:
        raise InputError(
            f"{path}: is not a network file or is truncated ({reason(error)}); accepted: {_ACCEPTED}"
        ) from None


def _check_directory(stream: BinaryIO) -> None:
    """Refuses a zip file whose list of contents is large before anything is made of it."""
    stream.seek(0, os.SEEK_END)
    start = max(0, stream.tell() - _ZIP_LOCATOR - _ZIP_END.size)
    stream.seek(start)
    tail = stream.read()
    if len(tail) < _ZIP_END.size:
        raise ValueError("too short")
    mark, _, _, _, _, size, _, comment = _ZIP_END.unpack(tail[-_ZIP_END.size :])
    if mark != b"PK\x05\x06" or comment:
        raise ValueError("does not end as .npz does")
    if size > _MAX_DIRECTORY or tail.startswith(b"PK\x06\x07"):
        raise ValueError(f"its list of arrays has {size} bytes or more, accepted are {_MAX_DIRECTORY}")


def _check_entries(path: str | PathLike[str], entries: list[zipfile.ZipInfo]) -> None:
    """Refuses names and sizes that no network file has."""
    total = sum(entry.file_size for entry in entries)
    if total > MAX_UNPACKED:
        raise InputError(f"{path}: arrays unpack to {total} bytes; accepted: at most {MAX_UNPACKED}")
    names = {entry.filename for entry in entries}
    if len(names) != len(entries):
        raise InputError(f"{path}: an array is there twice; accepted: each name once")
    if "header.npy" not in names:
        raise InputError(f"{path}: has no array 'header'; accepted: a network file (.npz) of this program")
    for entry in entries:
        # Other methods unpack as much at once as they like.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(
                f"{path}: {shown(entry.filename)} is compressed by method {entry.compress_type}; "
                "accepted: 0 (none) and 8 (deflate)"
            )


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, where: str) -> np.ndarray:
    """The array of one .npy file, its size checked before it is made."""
    accepted = "row-major uint8, float32 or int64"
    # In pieces: read at once, a member unpacks beyond the size that it claims.
    with archive.open(entry) as stream:
        header = npy.read_header(stream, where, accepted, MAX_UNPACKED)
        if header.fortran or header.dtype not in (np.uint8, np.float32, np.int64):
            order = "column-major " if header.fortran else ""
            raise InputError(f"{where} is {order}{header.dtype}; accepted: {accepted}")
        return npy.read_elements(stream, header, entry.file_size - header.length, where, accepted)


def _network(arrays: dict[str, np.ndarray]) -> Network:
    """The Network of unpacked arrays; all of them must be used."""
    header = _header(arrays.pop("header"))
    layers: list[Layer] = []
    if not isinstance(header["layers"], list):
        raise InputError(f"header layers is {shown(header['layers'])}; accepted: a list")
    for number, entry in enumerate(header["layers"]):
        where = f"header layer {number}"
        graph = header["version"] > 1
        scalars = (*_SCALARS, *_GRAPH) if graph else _SCALARS
        _check_keys(entry, where, (*scalars, "pool", "norm", "arrays", *(("rescale",) if graph else ())))
        fields: dict[str, Any] = {name: entry[name] for name in scalars}
        listed = entry["arrays"]
        if not isinstance(listed, list) or not all(name in _ARRAYS for name in listed):
            raise InputError(f"{where} arrays is {shown(listed)}; accepted: of {', '.join(_ARRAYS)}")
        for name in dict.fromkeys(("codes", "scale", *listed)):
            fields[name] = _take(arrays, f"layer{number}.{name}")
        if entry["pool"] is not None:
            _check_keys(entry["pool"], f"{where} pool", _POOL)
            fields["pool"] = Pool(**entry["pool"])
        if entry["norm"] is not None:
            _check_keys(entry["norm"], f"{where} norm", ("eps",))
            norm = {name: _take(arrays, f"layer{number}.{name}") for name in _NORM_ARRAYS}
            fields["norm"] = BatchNorm(eps=entry["norm"]["eps"], **norm)
        if entry.get("rescale") is not None:
            _check_keys(entry["rescale"], f"{where} rescale", _RESCALE)
            rescale: dict[str, Any] = dict(entry["rescale"])
            for name in _RESCALE_ARRAYS:
                rescale[name] = _take(arrays, f"layer{number}.rescale.{name}")
            fields["rescale"] = Rescale(**rescale)
        layers.append(Layer(**fields))
    if arrays:
        raise InputError(
            f"array {shown(min(arrays))[1:-1]} is not part of the network; accepted: those of the header"
        )
    return Network(
        name=header["name"],
        input_shape=header["input_shape"],
        input_bits=header["input_bits"],
        layers=tuple(layers),
    )


def _header(array: np.ndarray) -> dict[str, Any]:
    try:
        header = parse_json(array.tobytes())
    except ValueError as error:
        raise InputError(f"header is not JSON ({reason(error)}); accepted: JSON") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"header has no format {FORMAT!r}; accepted: a network file")
    version = header.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise InputError(f"version is {shown(version)}; accepted: 1..{VERSION}")
    _check_keys(header, "header", ("format", "version", "name", "input_shape", "input_bits", "layers"))
    return header


def _check_keys(entry: object, where: str, names: Iterable[str]) -> None:
    if not isinstance(entry, dict):
        raise InputError(f"{where} is {shown(entry)}; accepted: an object")
    for name in sorted(set(entry) ^ set(names)):
        problem = "is missing" if name in names else "is unknown"
        raise InputError(f"{where}: {shown(name)[1:-1]} {problem}; accepted: {', '.join(names)}")


def _take(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise InputError(f"array {name} is missing; accepted: every array of the header")
    return arrays.pop(name)
