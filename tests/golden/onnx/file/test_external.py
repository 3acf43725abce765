"""Data of tensors beside an ONNX file: read exactly, and never from elsewhere or more than is there."""

import os
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper
from onnx.external_data_helper import convert_model_to_external_data

from dorefa.golden import random_images, run_integer
from dorefa.golden.onnx import importer
from dorefa.golden.onnx.file import external
from dorefa.golden.onnx.file.read import read_graph

from ..support import assert_refused
from .test_malformed import good_model


@pytest.fixture
def path(tmp_path, rng):
    """A file whose tensors all lie in net.data."""
    model = good_model(rng)
    onnx.save(model, tmp_path / "inside.onnx")
    convert_model_to_external_data(model, location="net.data", size_threshold=0)
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def change(path, change):
    """Applies `change` to the entries of the last initializer, a dictionary."""
    model = onnx.load(path, load_external_data=False)
    tensor = model.graph.initializer[-1]
    entries = {entry.key: entry.value for entry in tensor.external_data}
    change(entries)
    del tensor.external_data[:]
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return tensor.name


def test_a_network_with_its_data_beside_it(path):
    inside, outside = importer.load(path.with_name("inside.onnx")), importer.load(path)
    images = random_images(inside, 3, 1)
    expected, results = run_integer(inside, images), run_integer(outside, images)
    assert all(np.array_equal(results[name], codes) for name, codes in expected.items())
    graph = read_graph(path)
    for tensor in onnx.load(path).graph.initializer:
        assert np.array_equal(graph.constants[tensor.name], numpy_helper.to_array(tensor))


def test_links_and_folders_below(path):
    folder = path.parent / "below"
    folder.mkdir()
    path.with_name("net.data").rename(folder / "moved")
    path.with_name("net.data").symlink_to("below/moved")
    assert importer.load(path).classes == 10
    change(path, lambda entries: entries.update(location="below/moved"))
    assert importer.load(path).classes == 10


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../net.data", "below/../../net.data", "", ".", "C:net.data", "a\\b", "a\0b"]
)
def test_data_elsewhere(location, path):
    name = change(path, lambda entries: entries.update(location=location))
    text = f"its external data is in {location!r}; accepted: a plain file in the folder of the .onnx file"
    assert_refused(path, f"initializer {name}: {re.escape(text)}")


def test_links_that_leave_the_folder(path):
    path.with_name("net.data").unlink()
    path.with_name("net.data").symlink_to("/etc/passwd")
    assert_refused(path, "initializer .*: its external data is in 'net.data'; accepted: a plain file in the ")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (os.mkdir, "cannot be read .Is a directory."),
        (lambda path: None, "cannot be read .No such file or directory."),
        (lambda path: path.write_bytes(b""), r"has 0 bytes; accepted: \d+"),
        (
            lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 1 << 40),
            "has 1099511627776 bytes",
        ),
    ],
)
def test_data_that_is_not_there(make, problem, path):
    path.with_name("net.data").unlink()
    make(path.with_name("net.data"))
    assert_refused(path, f"initializer .*: {path.parent}/net.data: {problem}")


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"offset": "-1"}, "offset of its external data is '-1'; accepted: an integer, not negative"),
        ({"offset": "1e3"}, "offset of its external data is '1e3'; accepted: an integer, not negative"),
        ({"offset": "9" * 100}, r"offset of its external data is '9+\.\.\. .*; accepted: an integer"),
        ({"offset": "1000000"}, r".*net.data: has \d+ bytes; accepted: 1000\d\d\d"),
        ({"length": "1"}, r"length of its external data is 1; accepted: \d+"),
        ({"length": "99999999999"}, r"length of its external data is 99999999999; accepted: \d+"),
        ({"checksum": "0"}, "external data has the entry 'checksum'; accepted: location, offset and length"),
    ],
)
def test_places_that_are_not_there(entries, problem, path):
    name = change(path, lambda all_entries: all_entries.update(entries))
    assert_refused(path, f"initializer {name}: {problem}")


def test_no_location(path):
    name = change(path, lambda entries: entries.pop("location"))
    assert_refused(path, f"initializer {name}: external data without location; accepted: a plain file in")


def test_one_file_for_many_tensors_is_bounded(path, monkeypatch):
    monkeypatch.setattr(external, "MAX_UNPACKED", 100)
    path.with_name("net.data").write_bytes(path.with_name("net.data").read_bytes()[:100])
    assert_refused(path, "initializer .*: (its external data is|.*net.data: has 100 bytes)")


def test_data_in_two_places(path):
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].data_location = TensorProto.DEFAULT
    path.write_bytes(model.SerializeToString())
    assert_refused(
        path, "initializer .*: names another file for its data, which it has itself; accepted: data in one"
    )


def test_memory_is_for_what_is_there(path):
    model = onnx.load(path, load_external_data=False)
    tensor = model.graph.initializer[0]
    tensor.dims[:] = [1 << 27]
    for entry in tensor.external_data:
        entry.value = {"location": "net.data", "offset": "0"}.get(entry.key, str(1 << 29))
    path.write_bytes(model.SerializeToString())
    assert_refused(path, r"initializer .*net.data: has \d+ bytes; accepted: 536870912")
