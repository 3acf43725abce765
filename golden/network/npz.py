"""One network in one .npz file: a JSON header and plain arrays, never a pickle.

The header (UTF-8 JSON as a uint8 array) carries the format's name and version and everything but
the arrays; those are called `layer<number>.<parameter>`. Loading trusts nothing: sizes are bounded
before anything is unpacked, and the network is checked like a new one. Version 1 knew chains only;
version 2 adds source, add and rescale.
"""

import io
import json
import zipfile
from collections.abc import Iterable
from os import PathLike
from typing import Any, BinaryIO

import numpy as np

from ..errors import InputError
from ..files import write_file
from .layer import Layer
from .network import Network
from .parts import BatchNorm, Pool, Rescale

FORMAT = "dorefa network"
VERSION = 2
# Unpacked size of all arrays together; AlexNet with its float weights is below a third of it.
MAX_BYTES = 1 << 30

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
    try:
        with open(path, "rb") as stream:
            arrays = _read_arrays(path, stream)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); accepted: a network file (.npz)"
        ) from None
    try:
        return _network(arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read_arrays(path: str | PathLike[str], stream: BinaryIO) -> dict[str, np.ndarray]:
    """Name -> array of a zip file of .npy files, unpacked only within MAX_BYTES."""
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
            total = sum(entry.file_size for entry in entries)
            if total > MAX_BYTES:
                raise InputError(f"{path}: arrays unpack to {total} bytes; accepted: at most {MAX_BYTES}")
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names):
                raise InputError(f"{path}: an array is there twice; accepted: each name once")
            if "header.npy" not in names:
                raise InputError(
                    f"{path}: has no array 'header'; accepted: a network file (.npz) of this program"
                )
            arrays = {}
            for entry in entries:
                name = entry.filename.removesuffix(".npy")
                arrays[name] = _parse_array(f"{path}: array {name}", archive.read(entry))
            return arrays
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path}: does not fit into memory; accepted: a smaller network") from None
    # A damaged zip file raises whatever its first bad byte leads to.
    except Exception as error:
        raise InputError(
            f"{path}: is not a network file or is truncated ({_first_line(error)}); "
            "accepted: a network file (.npz)"
        ) from None


def _parse_array(where: str, content: bytes) -> np.ndarray:
    """The array of one .npy file, its size checked before it is made."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"npy version {version}")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    # The header is a Python literal from elsewhere: its parser raises many types.
    except Exception as error:
        raise InputError(f"{where} is damaged ({_first_line(error)}); accepted: .npy version 1.0") from None
    if fortran or dtype not in (np.uint8, np.float32, np.int64):
        order = "column-major " if fortran else ""
        raise InputError(f"{where} is {order}{dtype}; accepted: row-major uint8, float32 or int64")
    data = content[stream.tell() :]
    needed = dtype.itemsize
    for size in shape:
        needed *= size
    if min(shape, default=0) < 0 or needed != len(data):
        raise InputError(f"{where} has {len(data)} bytes; accepted: {needed} (shape {shape}, {dtype})")
    return np.frombuffer(data, dtype).reshape(shape)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _network(arrays: dict[str, np.ndarray]) -> Network:
    """The Network of unpacked arrays; all of them must be used."""
    header = _header(arrays.pop("header"))
    layers: list[Layer] = []
    if not isinstance(header["layers"], list):
        raise InputError(f"header layers is {header['layers']!r}; accepted: a list")
    for number, entry in enumerate(header["layers"]):
        where = f"header layer {number}"
        graph = header["version"] > 1
        scalars = (*_SCALARS, *_GRAPH) if graph else _SCALARS
        _check_keys(entry, where, (*scalars, "pool", "norm", "arrays", *(("rescale",) if graph else ())))
        fields: dict[str, Any] = {name: entry[name] for name in scalars}
        listed = entry["arrays"]
        if not isinstance(listed, list) or not all(name in _ARRAYS for name in listed):
            raise InputError(f"{where} arrays is {listed!r}; accepted: of {', '.join(_ARRAYS)}")
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
            f"array {sorted(arrays)[0]} is not part of the network; accepted: those of the header"
        )
    return Network(
        name=header["name"],
        input_shape=header["input_shape"],
        input_bits=header["input_bits"],
        layers=tuple(layers),
    )


def _header(array: np.ndarray) -> dict[str, Any]:
    try:
        header = json.loads(array.tobytes())
    except (ValueError, RecursionError) as error:
        raise InputError(f"header is not JSON ({_first_line(error)}); accepted: JSON") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(f"header has no format {FORMAT!r}; accepted: a network file")
    version = header.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise InputError(f"version is {version!r}; accepted: 1..{VERSION}")
    _check_keys(header, "header", ("format", "version", "name", "input_shape", "input_bits", "layers"))
    return header


def _check_keys(entry: object, where: str, names: Iterable[str]) -> None:
    if not isinstance(entry, dict):
        raise InputError(f"{where} is {entry!r}; accepted: an object")
    for name in sorted(set(entry) ^ set(names)):
        problem = "is missing" if name in names else "is unknown"
        raise InputError(f"{where}: {name} {problem}; accepted: {', '.join(names)}")


def _take(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise InputError(f"array {name} is missing; accepted: every array of the header")
    return arrays.pop(name)
