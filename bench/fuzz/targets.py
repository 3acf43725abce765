"""What is fuzzed: each reader of a user's file, with valid files to begin with."""

import gzip
import io
import json
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dorefa.cli import run
from dorefa.golden import npy, random_network, reading
from dorefa.golden.data import cifar, idx, svhn
from dorefa.golden.network import npz
from dorefa.golden.onnx import export, importer
from dorefa.golden.train import checkpoint
from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.train.network import TrainNetwork
from dorefa.golden.train.optimizer import optimizer_of
from dorefa.golden.train.recipe import Recipe
from dorefa.golden.zoo import own
from dorefa.golden.zoo.architecture import Architecture, LayerSpec
from dorefa.golden.zoo.architectures import ARCHITECTURES
from dorefa.golden.zoo.toml_form import architecture_toml
from dorefa.hw.config.engine import PRESETS, EngineConfig
from dorefa.hw.config.toml_file import read_overrides
from dorefa.synth.flow import liberty

# Between the parts of an input that are packed into one file.
_BORDER = b"\0---\0"


@dataclass(frozen=True)
class Target:
    """A reader: `read` takes the path of a file that ends in `suffix`; `seeds` are inputs to begin with,
    `file` makes a file of an input (to reach what lies behind a checksum), `tokens` are put into inputs."""

    read: Callable[[str], object]
    suffix: str
    seeds: Callable[[], list[bytes]]
    file: Callable[[bytes], bytes] = bytes
    tokens: tuple[bytes, ...] = ()


def _arrays():
    images = np.arange(24, dtype=np.uint8).reshape(1, 3, 4, 2)
    for array in (images, np.asfortranarray(images), images.astype(">i4"), images.astype(np.float32)):
        stream = io.BytesIO()
        np.save(stream, array)
        yield stream.getvalue()
    for array, version in (
        (images, (2, 0)),
        (images.view("u1,u1"), (1, 0)),
        (np.array([{}], object), (1, 0)),
    ):
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, version)
        yield stream.getvalue()


def _idx():
    for array in (np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.arange(5, dtype=np.uint8)):
        yield struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def _variables():
    """Parts of SVHN's files: uncompressed variables, and their lengths before them."""

    def element(kind, content):
        return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)

    for labels, stored in ((b"\x0a\x01", 2), (struct.pack("<2d", 10, 1), 9)):
        variables = (b"X", (32, 32, 3, 2), 9, 2, bytes(6144)), (b"y", (2, 1), 6, stored, labels)
        yield [
            element(
                14,
                element(6, struct.pack("<II", numbers, 0))
                + element(5, struct.pack(f"<{len(shape)}i", *shape))
                + element(1, name)
                + element(kind, content),
            )
            for name, shape, numbers, kind, content in variables
        ]


def _matlab(variables):
    return bytes(124) + b"\0\1IM" + b"".join(variables)


def _packed(variables):
    """The MATLAB file of variables with borders between them, compressed."""
    packed = [zlib.compress(variable) for variable in variables.split(_BORDER)]
    return _matlab(struct.pack("<II", 15, len(each)) + each for each in packed)


def _saved(save, what, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net" + suffix)
        save(what, path)
        return path.read_bytes()


def _network_files():
    for seed in range(4):
        yield _saved(npz.save, random_network(seed, residual=seed > 1), ".npz")


def _training():
    """(network, optimizer) of a small training."""
    conv = LayerSpec(name="conv0", kind="conv", channels=2, kernel=2)
    last = LayerSpec(name="fc1", kind="fc", channels=2, norm=False, bias=True)
    small = Architecture(
        name="small", input_shape=(3, 3, 1), input_bits=8, layers=(conv, last), first_w=None, last_w=1
    )
    recipe = Recipe(w_bits=1, a_bits=2, g_bits=6, epochs=2, batch=4, seed=1)
    network = TrainNetwork(small, recipe, MatrixBackend(1))
    return network, optimizer_of(recipe, network.parameters)


def _checkpoints():
    past = checkpoint.Progress([0.5, 0.25, 2], [{"epoch": 1, "loss": 0.5, "train_accuracy": 1.0}], 3)
    for progress in (checkpoint.Progress(), past):
        yield _saved(
            lambda _, path, made=progress: checkpoint.save(path, *_training(), made, ""), None, ".npz"
        )


def _members(file):
    """Names and contents of a zip file, with borders between them."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return _BORDER.join(
            part for name in archive.namelist() for part in (name.encode(), archive.read(name))
        )


def _zip(members):
    """The zip file of :func:`_members`."""
    parts = members.split(_BORDER)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in zip(parts[::2], parts[1::2], strict=False):
            archive.writestr(zipfile.ZipInfo(name.decode(errors="replace")), content)
    return stream.getvalue()


def _onnx_files():
    for seed in range(4):
        yield _saved(export.save, random_network(seed), ".onnx")


def _settings():
    yield json.dumps({"board": "b", "baud": 115200, "scale": [0.5, 1], "bias": [-1.0, 2e-3]}).encode()


def _toml():
    for config in PRESETS.values():
        lines = [f"{name} = {value!r}" for name, value in config.as_dict().items()]
        yield "\n".join(lines).encode()
    yield b'# all\n[engine]\nlanes = 0x18 # hex\nencoding = """any"""\n'
    yield b"a.b.c = {d = [1, [2, 3.5e3, inf]], e = 1979-05-27T07:32:00Z}\n[[x.y]]\n[x.z]\n'q' = 07:32:00\n"


def _liberty():
    text = liberty.DEFAULT.read_bytes()
    head, cells = text[: text.index(b"cell (")], text.split(b"cell (")[1:]
    yield head + b"".join(b"cell (" + cell for cell in cells if cell[:4] in (b"NAND", b"DFF)")) + b"}"
    yield b'library (t) { /* c */ cell (N) { area : 1; pin (A) { direction : input; } pin ("B") ' + (
        b'{ direction : input; } pin (Z) { function : "!(A & B)"; } } // d\ncell (F) { ff (I, N) { } } }'
    )


_WORDS_JSON = (b"NaN", b"1e999", b"9" * 30, b"[[[[[[[[", b'{"a":', b"null", b"true", b'"scale"', b'"bias"')
_WORDS_NPY = (b"'descr'", b"'shape'", b"'<u4'", b"'|O'", b"'|V9'", b"99999999999", b"-1", b"(((((", b"L,")
_WORDS_NPZ = (_BORDER, b"header.npy", b'"layers"', b'"source"', b'"add"', b'"input"', b'"rescale"', b"null")

TARGETS = {
    "npy": Target(
        lambda path: npy.load(path, "an array"), ".npy", lambda: list(_arrays()), tokens=_WORDS_NPY
    ),
    "idx": Target(idx.read_idx, "", lambda: [*_idx(), *map(gzip.compress, _idx())]),
    "idx-packed": Target(idx.read_idx, ".gz", lambda: list(_idx()), gzip.compress),
    "svhn": Target(svhn.read_svhn, ".mat", lambda: list(map(_matlab, _variables()))),
    "svhn-packed": Target(
        svhn.read_svhn, ".mat", lambda: list(map(_BORDER.join, _variables())), _packed, (_BORDER,)
    ),
    "cifar": Target(cifar.read_batch, ".bin", lambda: [bytes(3073), bytes(3073) + b"\x09" * 3073]),
    "npz": Target(npz.load, ".npz", lambda: list(_network_files())),
    "npz-members": Target(
        npz.load,
        ".npz",
        lambda: [_members(file) for file in _network_files()],
        _zip,
        _WORDS_NPZ + _WORDS_JSON + _WORDS_NPY,
    ),
    "checkpoint-members": Target(
        lambda path: checkpoint.load(path, *_training(), "", 2),
        ".npz",
        lambda: [_members(file) for file in _checkpoints()],
        _zip,
        (_BORDER, b"header.npy", b'"recipe"', b'"history"', b'"correct"', *_WORDS_JSON, *_WORDS_NPY),
    ),
    "onnx": Target(importer.load, ".onnx", lambda: list(_onnx_files()), tokens=(b"location", b"offset")),
    "toml": Target(
        lambda path: EngineConfig(**read_overrides(path)),
        ".toml",
        lambda: list(_toml()),
        tokens=(b"[engine]", b"[[", b"'''", b'"""', b"0x", b"inf", b"1979-05-27", b"= {", b".a.a.a"),
    ),
    "architecture": Target(
        own.read,
        ".toml",
        lambda: [architecture_toml(each).encode() for each in ARCHITECTURES.values()],
        tokens=(
            b"[[layers]]",
            b"global_pool = true",
            b"add = ",
            b"source = ",
            b"groups = ",
            b"codes = false",
        ),
    ),
    "json": Target(
        lambda path: reading.read_json(path, "JSON"), ".json", lambda: list(_settings()), tokens=_WORDS_JSON
    ),
    "settings": Target(run.read_settings, ".json", lambda: list(_settings()), tokens=_WORDS_JSON),
    "liberty": Target(
        liberty.load,
        ".lib",
        lambda: list(_liberty()),
        tokens=(
            b"cell (",
            b"pin (",
            b"area : ",
            b'function : "',
            b"((((",
            b"!!!!",
            b"/*",
            b"*/",
            b"ff (",
            b'"',
        ),
    ),
}
