"""One network in one .npz file: a JSON header and plain arrays, never a pickle.

The header (UTF-8 JSON as a uint8 array) carries the format's name and version and everything but
the arrays; those are called `layer<number>.<parameter>`. Loading trusts nothing: sizes are bounded
before anything is unpacked, and the network is checked like a new one. Version 1 knew chains only;
version 2 adds source, add and rescale.
"""

from os import PathLike
from typing import Any

import numpy as np

from .. import archive
from ..errors import InputError
from ..files import write_file
from ..reading import shown
from .layer import Layer
from .network import Network
from .parts import BatchNorm, Pool, Rescale

FORMAT = "dorefa network"
VERSION = 2

_WHAT = "a network file"

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
    write_file(path, archive.packed(header, arrays))


def load(path: str | PathLike[str]) -> Network:
    """The Network in the file at `path`; InputError says what is wrong with the file."""
    arrays = archive.load(path, _WHAT)
    try:
        return _network(arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


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
        archive.check_keys(
            entry, where, (*scalars, "pool", "norm", "arrays", *(("rescale",) if graph else ()))
        )
        fields: dict[str, Any] = {name: entry[name] for name in scalars}
        listed = entry["arrays"]
        if not isinstance(listed, list) or not all(name in _ARRAYS for name in listed):
            raise InputError(f"{where} arrays is {shown(listed)}; accepted: of {', '.join(_ARRAYS)}")
        for name in dict.fromkeys(("codes", "scale", *listed)):
            fields[name] = archive.take(arrays, f"layer{number}.{name}")
        if entry["pool"] is not None:
            archive.check_keys(entry["pool"], f"{where} pool", _POOL)
            fields["pool"] = Pool(**entry["pool"])
        if entry["norm"] is not None:
            archive.check_keys(entry["norm"], f"{where} norm", ("eps",))
            norm = {name: archive.take(arrays, f"layer{number}.{name}") for name in _NORM_ARRAYS}
            fields["norm"] = BatchNorm(eps=entry["norm"]["eps"], **norm)
        if entry.get("rescale") is not None:
            archive.check_keys(entry["rescale"], f"{where} rescale", _RESCALE)
            rescale: dict[str, Any] = dict(entry["rescale"])
            for name in _RESCALE_ARRAYS:
                rescale[name] = archive.take(arrays, f"layer{number}.rescale.{name}")
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
    header = archive.header_of(array, _WHAT, FORMAT, VERSION)
    archive.check_keys(header, "header", ("format", "version", "name", "input_shape", "input_bits", "layers"))
    return header
