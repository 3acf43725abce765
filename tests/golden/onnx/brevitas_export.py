"""Trains small Brevitas networks on the shipped digits and exports them as QONNX.

Needs torch, brevitas and onnxoptimizer, which the tests do not install (1.1 GB):
`python tests/golden/onnx/brevitas_export.py FOLDER` writes the files of tests/golden/onnx/brevitas.

Scales are powers of two and, after training, batch normalization is rounded to short binary
fractions: then float32 is exact everywhere and the executor of the qonnx package is an oracle for
every code, ties included.
"""

import sys
import warnings
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import onnx
import torch
from brevitas.core.restrict_val import RestrictValueType
from brevitas.export import export_qonnx
from brevitas.quant import (
    Int8ActPerTensorFloat,
    Int8WeightPerTensorFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    Uint8ActPerTensorFloat,
)
from torch import nn

from dorefa.golden.zoo.datasets import digits_sample

_TWO = {"restrict_scaling_type": RestrictValueType.POWER_OF_TWO}


def activation(bits, signed=False):
    """QuantReLU of `bits`, signed QuantIdentity, or the sign for bits 0."""
    if not bits:
        return qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
    if signed:
        return qnn.QuantIdentity(
            act_quant=Int8ActPerTensorFloat, bit_width=bits, return_quant_tensor=True, **_TWO
        )
    return qnn.QuantReLU(bit_width=bits, return_quant_tensor=True, **_TWO)


def weights(bits):
    """Keywords for weights of `bits` bits, 0 for bipolar."""
    if not bits:
        return {"weight_quant": SignedBinaryWeightPerTensorConst, "weight_scaling_const": 0.125}
    return {
        "weight_quant": Int8WeightPerTensorFloat,
        "weight_bit_width": bits,
        "weight_restrict_scaling_type": RestrictValueType.POWER_OF_TWO,
    }


class Convolutions(nn.Module):
    """8-bit image and first layer, then convolutions of the given widths; 28x28 digits."""

    def __init__(self, w_bits, a_bits, residual=False, depthwise=False):
        super().__init__()
        self.image = qnn.QuantIdentity(
            act_quant=Uint8ActPerTensorFloat, bit_width=8, return_quant_tensor=True, **_TWO
        )
        self.first = nn.Sequential(
            qnn.QuantConv2d(1, 8, 5, stride=2, bias=True, **weights(8)),
            nn.BatchNorm2d(8),
            activation(a_bits),
            nn.MaxPool2d(2),
        )
        groups = 8 if depthwise else 1
        self.second = nn.Sequential(
            qnn.QuantConv2d(8, 8, 3, padding=1, groups=groups, bias=False, **weights(w_bits)),
            nn.BatchNorm2d(8),
        )
        self.shared = activation(a_bits + 1, signed=True) if residual else None
        self.act = activation(a_bits)
        self.third = nn.Sequential(
            qnn.QuantConv2d(8, 16, 3, stride=2, bias=False, **weights(w_bits)),
            nn.BatchNorm2d(16),
            activation(a_bits),
        )
        self.scores = qnn.QuantLinear(64, 10, bias=True, **weights(8))

    def forward(self, x):
        x = self.first(self.image(x))
        if self.shared is None:
            x = self.act(self.second(x))
        else:
            x = self.shared(x)
            x = self.act(self.shared(self.second(x)) + x)
        return self.scores(torch.flatten(self.third(x), 1))


class FullyConnected(nn.Module):
    """784-32-32-10."""

    def __init__(self, w_bits, a_bits):
        super().__init__()
        image = qnn.QuantIdentity(act_quant=Uint8ActPerTensorFloat, bit_width=2, **_TWO)
        if not a_bits:
            image = qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)
        layers = [image]
        for inputs, outputs in ((784, 32), (32, 32)):
            layers += [
                qnn.QuantLinear(inputs, outputs, bias=False, **weights(w_bits)),
                nn.BatchNorm1d(outputs),
                activation(a_bits),
            ]
        layers.append(qnn.QuantLinear(32, 10, bias=True, **weights(w_bits)))
        self.layers = nn.Sequential(*layers)
        # The sign needs images on both sides of 0.
        self.shift = 0.0 if a_bits else 0.25

    def forward(self, x):
        return self.layers(torch.flatten(x, 1) - self.shift)


MODELS = {
    "w1a2": lambda: Convolutions(0, 2),
    "w2a2": lambda: Convolutions(2, 2),
    "w4a4": lambda: Convolutions(4, 4),
    "residual": lambda: Convolutions(4, 3, residual=True),
    "depthwise": lambda: Convolutions(4, 4, depthwise=True),
    "mlp": lambda: FullyConnected(2, 2),
    "xnor": lambda: FullyConnected(0, 0),
}


def trained(name, epochs=6):
    """The model `name` after a short training on 800 of the shipped digits, in binary fractions."""
    torch.manual_seed(0)
    images, labels = digits_sample()
    x = torch.tensor(images[:800].transpose(0, 3, 1, 2) / 256, dtype=torch.float32)
    y = torch.tensor(labels[:800].astype(np.int64))
    model = MODELS[name]()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            # Some channels have a negative gain from the start.
            layer.weight.data[::3] = -1
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(800).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(torch.as_tensor(model(x[batch])), y[batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                _round_norm(layer)
            elif isinstance(layer, qnn.QuantConv2d | qnn.QuantLinear) and layer.bias is not None:
                layer.bias.copy_((layer.bias * 256).round() / 256)
    return model


def _round_norm(layer):
    gain = layer.weight / (layer.running_var + layer.eps).sqrt()
    shift = layer.bias - layer.running_mean * gain
    layer.weight.copy_((gain * 64).round() / 64)
    layer.bias.copy_((shift * 64).round() / 64)
    layer.running_mean.zero_()
    layer.eps = 2.0**-10
    layer.running_var.fill_(1 - layer.eps)


def export(name, path):
    """Writes the QONNX file of the model `name`, without the exporter's notes on its machine."""
    model = trained(name)
    export_qonnx(model, args=torch.rand(1, 1, 28, 28), export_path=str(path), opset_version=18)
    proto = onnx.load(path)
    for part in (
        proto,
        proto.graph,
        *proto.graph.node,
        *proto.graph.value_info,
        *proto.graph.input,
        *proto.graph.output,
        *proto.graph.initializer,
    ):
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.save(proto, path)
    path.with_name(path.name + ".data").unlink(missing_ok=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for model_name in sys.argv[2:] or MODELS:
        export(model_name, Path(sys.argv[1]) / f"{model_name}.onnx")
