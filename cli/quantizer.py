"""ONNX Runtime on files of float networks: what they compute, and its static quantization of them.

Importing this module needs the packages onnx and onnxruntime.
"""

import io
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
from onnxruntime.quantization.shape_inference import quant_pre_process

from dorefa.golden.errors import InputError
from dorefa.golden.onnx.declared.check import understood
from dorefa.golden.onnx.file.proto import clean
from dorefa.golden.onnx.file.read import read_graph
from dorefa.golden.onnx.importer import Import
from dorefa.golden.onnx.values.integer_quant import quantize_constant_linear
from dorefa.golden.onnx.values.quantizers import Constant
from dorefa.golden.onnx.values.tensors import feature_order
from dorefa.golden.reading import reason

# Bits of weights, which have a sign, and of activations, which have none.
WEIGHTS = {8: QuantType.QInt8, 4: QuantType.QInt4}
ACTIVATIONS = {8: QuantType.QUInt8, 4: QuantType.QUInt4}
# What stands behind scores and is left out of the network: of rounded ones the order may be another.
_ANSWERS = {"Softmax", "Sigmoid", "ArgMax", "TopK"}
_QUANTIZED = sorted({*QDQRegistry, *QLinearOpsRegistry} - _ANSWERS)


class FloatModel:
    """A file of a float network.

    named: what messages call it.
    """

    def __init__(self, path: str | Path, named: str) -> None:
        """InputError for what ONNX Runtime does not run."""
        self._path, self.named = path, named
        onnxruntime.set_default_logger_severity(4)
        with _refusing(named):
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, image: np.ndarray) -> list[np.ndarray]:
        """The outputs (1, ...) for one image, which has no axis of the batch."""
        with _refusing(self.named):
            outputs = self._session.run(None, {self._input: image[None]})
        for output, place in zip(outputs, self._session.get_outputs(), strict=True):
            numbers = isinstance(output, np.ndarray) and output.dtype.kind in "fiub"
            if not numbers or output.shape[:1] != (1,):
                raise InputError(
                    f"{self.named}: output {clean(place.name)} is {place.type} of shape {place.shape}; "
                    "accepted: numbers, the batch first"
                )
        return list(outputs)

    def prepared(self, folder: Path) -> "FloatModel":
        """The same in another file in `folder`: batch normalization within weights, constants folded."""
        path = folder / "prepared.onnx"
        with _refusing(self.named), _quiet(folder):
            quant_pre_process(str(self._path), str(path), skip_symbolic_shape=True)
        return FloatModel(path, self.named)

    def quantized(
        self, path: Path, images: Iterable[np.ndarray], w_bits: int, a_bits: int, step: Callable[[], None]
    ) -> None:
        """Writes the file `path` with quantizers around every operator, for the ranges that `images` reach.

        Weights: w_bits, symmetric, one scale per output channel. Activations: a_bits, zero points 0 or in the
        middle, so that padding has a code of no more bits. step: called before each image.
        """
        with _refusing(self.named), _quiet(path.parent):
            quantize_static(
                self._path,
                path,
                _Images(self._input, images, step),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=_QUANTIZED,
                per_channel=True,
                weight_type=WEIGHTS[w_bits],
                activation_type=ACTIVATIONS[a_bits],
                extra_options={"ActivationRestrictedAsymmetric": True},
            )


def network_images(path: Path, found: Import, images: np.ndarray) -> np.ndarray:
    """Images for the network that was imported from a file of :meth:`FloatModel.quantized`: the integers of
    its first quantizer minus their zero point, channels last; uint8, or int8 where that is in the middle.

    images: float32 (batch, ...) as the file reads them; what stands in front of the quantizer is computed.
    """
    graph = understood(read_graph(path))
    name, codes = next((name, codes) for name, codes in found.tensors.items() if codes.source < 0)
    node = next(node for node in graph.nodes if name in node.outputs)
    if node.inputs[0] != graph.input_name:
        before = path.with_suffix(".before.onnx")
        onnx.utils.extract_model(path, before, [graph.input_name], [node.inputs[0]])
        model = FloatModel(before, str(path))
        images = np.concatenate([model.run(image)[0] for image in images])
    constants = {name: Constant(array) for name, array in graph.constants.items()}
    integers = quantize_constant_linear(node, images, constants).array.astype(np.int64)
    stored = integers.reshape(len(images), -1)[:, feature_order(codes)] - int(codes.offset[0])
    return stored.astype(np.int8 if codes.signed else np.uint8).reshape(-1, *found.network.input_shape)


class _Images(CalibrationDataReader):
    """Images one by one, by the name of the input."""

    def __init__(self, name: str, images: Iterable[np.ndarray], step: Callable[[], None]) -> None:
        self._name, self._images, self._step = name, iter(images), step

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next image; None behind the last."""
        for image in self._images:
            self._step()
            return {self._name: image[None]}
        return None


@contextmanager
def _refusing(named: str) -> Iterator[None]:
    """What the runtime raises, of classes of its own, as one line."""
    try:
        yield
    except Exception as error:
        # What goes before names the file, and the runtime's own code.
        why = reason(RuntimeError(str(error).rpartition(" failed:")[2]))
        raise InputError(
            f"{named}: ONNX Runtime refuses it ({why}); accepted: a float network that it runs"
        ) from None


@contextmanager
def _quiet(folder: Path) -> Iterator[None]:
    """Temporary files in `folder`; nothing on standard output and in logs."""
    before, level = tempfile.tempdir, logging.root.manager.disable
    tempfile.tempdir = str(folder)
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        tempfile.tempdir = before
        logging.disable(level)
