"""Networks written as QONNX: the import gives the same integers, the executor the same codes."""

import dataclasses
import re

import numpy as np
import onnx
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.util.cleanup import cleanup_model

from dorefa.golden import (
    InputError,
    Layer,
    Network,
    logits,
    lower,
    random_images,
    random_network,
    run_integer,
)
from dorefa.golden.network.encoding import Encoding
from dorefa.golden.onnx import export, importer
from dorefa.golden.zoo import catalog
from dorefa.golden.zoo.datasets import digits_sample
from dorefa.hw.compiler.compile import compile_network
from dorefa.hw.compiler.plan import find_problems
from dorefa.hw.compiler.sizing import fit

from .support import in_file_order

ZOO = {
    "digits": {},
    "digits-w1a1": {"net_a": 1},
    "digits-w2a2": {"net_w": 2},
    "digits-small": {},
    "svhn-d": {},
    "resnet18": {"size": (32, 32), "first_w": 3},
}


def zoo_network(name):
    return catalog.load(name.split("-w")[0], **ZOO[name])


def round_trip(network, path):
    export.save(network, path)
    return importer.load(path)


def assert_same(expected, found):
    """Every field of every layer is equal; the trunk's real unit, which no integer needs, is left out."""
    assert [layer.name for layer in found.layers] == [layer.name for layer in expected.layers]
    assert (found.input_shape, found.input_bits) == (expected.input_shape, expected.input_bits)
    for before, after in zip(expected.layers, found.layers, strict=True):
        for field in dataclasses.fields(before):
            a, b = getattr(before, field.name), getattr(after, field.name)
            where = f"{before.name}: {field.name}"
            if field.name == "rescale" and a is not None:
                assert np.array_equal(a.m, b.m) and np.array_equal(a.b, b.b), where
                assert (a.f, a.bits) == (b.f, b.bits), where
            elif isinstance(a, np.ndarray):
                assert np.array_equal(a, b) and a.dtype == b.dtype, where
            else:
                assert a == b, where


def same_program(expected, found):
    """Descriptors, weights, parameters, registers of the compiled networks; their engines too. False
    where no engine runs either of them, for the same reasons."""
    config = fit(expected)
    assert fit(found) == config
    problems = find_problems(expected, config)
    assert find_problems(found, config) == problems
    if problems:
        return False
    memories = [compile_network(network, config).memories for network in (expected, found)]
    assert memories[0] == memories[1] and memories[0]["program"]
    return True


@pytest.mark.parametrize("name", ZOO)
def test_networks_of_the_zoo(name, tmp_path, seed):
    network = zoo_network(name)
    expected, found = lower(network), round_trip(network, tmp_path / "net.onnx")
    assert_same(expected, found)
    assert same_program(expected, found)
    images = random_images(expected, 2, seed)
    last = expected.layers[-1].name
    sums = [run_integer(one, images, outputs=[last])[last] for one in (expected, found)]
    assert np.array_equal(*sums)
    assert np.array_equal(logits(expected, sums[0]), logits(found, sums[1]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["svhn-a", "svhn-b", "svhn-c", "alexnet", "alexnet-fc", "resnet18"])
def test_the_rest_of_the_zoo(name, tmp_path):
    network = catalog.load(name, size=(64, 64) if name == "resnet18" else None)
    assert_same(lower(network), round_trip(network, tmp_path / "net.onnx"))


def whole_range(network):
    """`network` with a weight of the greatest code in every layer, so that none fits fewer bits, and the
    trunk's factors without common powers of two."""
    layers = []
    for layer in network.layers:
        codes = layer.codes.copy()
        low = 0
        if layer.encoding == "twos_complement":
            low = 1 << (layer.w_bits - 1)
        codes.flat[:2] = ((1 << layer.w_bits) - 1, low)[: codes.size]
        rescale = layer.rescale
        if rescale is not None:
            m, b, f = rescale.m, rescale.b, rescale.f
            while f and not ((m | b) & 1).any():
                m, b, f = m >> 1, b >> 1, f - 1
            rescale = dataclasses.replace(rescale, m=m, b=b, f=f, bits=20)
        layers.append(dataclasses.replace(layer, codes=codes, rescale=rescale))
    return dataclasses.replace(network, layers=tuple(layers))


@pytest.mark.parametrize("number", range(24))
def test_random_graphs(number, tmp_path, seed):
    """Chains and residual graphs with every kind of pooling; every third has weights of all encodings."""
    network = whole_range(
        random_network(
            100 * seed + number,
            residual=number % 2 == 0,
            allow_average=True,
            allow_pool_padding=True,
            encodings=tuple(Encoding) if number % 3 == 0 else ("bipolar",),
            max_macs=60_000,
        )
    )
    expected, found = lower(network), round_trip(network, tmp_path / "net.onnx")
    if number % 3:
        assert_same(expected, found)
        same_program(expected, found)
    # Few weights of one encoding can all lie on the grid of another one, with the same results.
    images = random_images(expected, 5, seed)
    for name, codes in run_integer(expected, images).items():
        assert np.array_equal(codes, run_integer(found, images)[name]), name
    last = expected.layers[-1].name
    sums = run_integer(expected, images, outputs=[last])[last]
    assert np.array_equal(logits(expected, sums), logits(found, sums))


@pytest.mark.parametrize(
    ("encoding", "w_bits", "values"),
    [
        ("bipolar", 1, (-1, 1)),
        ("bipolar", 3, (-7, 5)),
        ("bipolar", 8, (-255, 1)),
        ("twos_complement", 1, (-1, 0)),
        ("twos_complement", 4, (-8, 7)),
        ("unsigned", 1, (0, 1)),
        ("unsigned", 8, (255, 2)),
    ],
)
def test_encodings(encoding, w_bits, values, tmp_path):
    """Each value of a grid comes back as it is, in as many bits."""
    codes = np.arange(1 << w_bits, dtype=np.uint8).reshape(1, 1, 1, -1)
    layer = Layer(
        name="fc",
        kind="fc",
        codes=codes,
        w_bits=w_bits,
        encoding=encoding,
        scale=np.float32(-0.3),
        bias=np.float32([0.7]),
    )
    network = Network(name="net", input_shape=(1, 1, 1 << w_bits), input_bits=2, layers=(layer,))
    found = round_trip(network, tmp_path / "net.onnx")
    assert_same(lower(network), found)
    assert set(values) <= set(found.layers[0].values.ravel().tolist())


def run_file(path, images):
    """Every tensor that the qonnx package computes from codes (batch, H, W, C) after its clean-up, and
    the file's name of each quantizer of activations -> its output, which the clean-up renames."""
    model = onnx.load(path)
    names = [node.name for node in model.graph.node if node.op_type == "Quant"]
    names = [name for name in names if not name.endswith("/weights")]
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[0].dim_value = len(images)
    model = cleanup_model(ModelWrapper(model)).transform(InferDataTypes())
    floats = images.transpose(0, 3, 1, 2).astype(np.float32)
    constants = {tensor.name for tensor in model.graph.initializer}
    outputs = [
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Quant" and node.input[0] not in constants
    ]
    made = dict(zip(names, outputs, strict=True))
    return model, execute_onnx(model, {model.graph.input[0].name: floats}, True), made


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_executor_gives_the_codes(name, tmp_path, seed):
    """The file is what the qonnx package reads: shapes, data types, and golden's codes at every layer."""
    network = zoo_network(name)
    lowered = lower(network)
    images = random_images(lowered, 8, seed)
    if name.startswith("digits"):
        images = digits_sample()[0][:200]
    path = tmp_path / "net.onnx"
    export.save(network, path)
    model, context, made = run_file(path, images)
    results = run_integer(lowered, images)
    found = importer.load_import(path)
    compared = 0
    for layer in lowered.layers:
        if layer.code_bits is None:
            continue
        summed = layer.pool is not None and layer.pool.kind == "average_codes"
        node = f"{layer.name}/{'sums' if summed else 'codes'}"
        codes = results[layer.name]
        tensor = dataclasses.replace(
            next(
                t
                for t in found.tensors.values()
                if t.source >= 0 and found.network.layers[t.source].name == layer.name
            ),
            dims=(("C",), ("H",), ("W",)),
        )
        expected = in_file_order(tensor, codes)
        value = context[made[node]]
        assert np.array_equal(value.reshape(len(images), -1), expected), layer.name
        assert model.get_tensor_datatype(made[node]).name == (
            f"UINT{layer.out_bits}" if layer.out_bits > 1 else "BINARY"
        )
        compared += codes.size
    assert compared > 1000
    scores = logits(lowered, results[lowered.layers[-1].name])
    output = context[model.graph.output[0].name]
    assert output.shape == scores.shape
    assert np.array_equal(output.argmax(axis=1), scores.argmax(axis=1))


def test_the_same_network_gives_the_same_bytes(tmp_path):
    for name in ("a.onnx", "b.onnx"):
        export.save(catalog.load("digits-small"), tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "b.onnx"]


def test_batch_normalization_is_as_stored(tmp_path):
    network = catalog.load("digits")
    export.save(network, tmp_path / "net.onnx")
    graph = onnx.load(tmp_path / "net.onnx").graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "BatchNormalization"]
    norms = [layer.norm for layer in network.layers if layer.norm is not None]
    for node, norm in zip(nodes, norms, strict=True):
        for name, stored in zip(node.input[1:], (norm.gamma, norm.beta, norm.mean, norm.var), strict=True):
            assert constants[name].dtype == np.float32 and np.array_equal(constants[name], stored)
        assert node.attribute[0].f == norm.eps


def test_names_that_the_nodes_would_take(tmp_path):
    """Layers keep their names, whatever the other nodes would be called."""
    layers = [
        Layer(
            name=name,
            kind="conv",
            codes=np.ones((2, 1, 1, 2), np.uint8),
            w_bits=1,
            a_bits=bits,
            scale=np.float32(0.5),
        )
        for name, bits in (("image", 2), ("image/codes", 2), ("scores", None))
    ]
    network = Network(name="net", input_shape=(1, 1, 2), input_bits=2, layers=tuple(layers))
    assert_same(lower(network), round_trip(network, tmp_path / "net.onnx"))


def test_what_is_refused(tmp_path):
    network = catalog.load("digits-small")
    path = tmp_path / "no" / "net.onnx"
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: cannot be written"):
        export.save(network, path)
    layer = Layer(
        name="fc",
        kind="fc",
        codes=np.broadcast_to(np.uint8(0), (1 << 10, 1, 1, 1 << 18)),
        w_bits=1,
        scale=np.float32(1),
    )
    large = Network(name="large", input_shape=(1, 1, 1 << 18), input_bits=1, layers=(layer,))
    message = "the weights of large as float32 have 1073741824 bytes; accepted: less than 536870912"
    with pytest.raises(InputError, match=message):
        export.save(large, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
