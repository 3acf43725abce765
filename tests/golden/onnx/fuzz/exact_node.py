"""Operators of ONNX and of QONNX by their definition, on fractions."""

import math
from fractions import Fraction

import numpy as np
import onnx
from onnx import helper

from .executor import Executable
from .values import fractions, mapped
from .windows import average_pool, convolve, convolve_transposed, max_pool

_ROUNDING = {
    "ROUND": round,
    "HALF_EVEN": round,
    "FLOOR": math.floor,
    "CEIL": math.ceil,
    "DOWN": math.trunc,
    "UP": lambda x: math.floor(x) if x < 0 else math.ceil(x),
    "HALF_UP": lambda x: math.ceil(x - Fraction(1, 2)) if x < 0 else math.floor(x + Fraction(1, 2)),
    "HALF_DOWN": lambda x: math.floor(x + Fraction(1, 2)) if x < 0 else math.ceil(x - Fraction(1, 2)),
}


class Undefined(Exception):
    """An operator that is not evaluated here."""


class ExactNode:
    """A node with its attributes, defaults of the format included."""

    def __init__(self, node, context, drawing):
        self._node, self._context, self._drawing = node, context, drawing
        self._attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self._schema = None
        if not node.domain:
            self._schema = onnx.defs.get_schema(node.op_type, drawing.opset)

    def run(self, known):
        """The exact first output."""
        node = self._node
        inputs = [
            None if not name else known[name] if name in known else fractions(self._context[name])
            for name in node.input
        ]
        function = getattr(self, f"_{node.op_type.lower()}", None)
        if function is None:
            raise Undefined(node.op_type)
        # NumPy makes numbers of arrays without axes.
        return np.asarray(function(*inputs), object)

    def _get(self, name, default=None):
        if name in self._attributes:
            value = self._attributes[name]
            return value.decode() if isinstance(value, bytes) else value
        declared = self._schema.attributes.get(name) if self._schema else None
        if declared is not None and declared.default_value.name:
            value = helper.get_attribute_value(declared.default_value)
            return value.decode() if isinstance(value, bytes) else value
        return default

    def _number(self, name, default):
        """A float of the file, which is float32."""
        return Fraction(float(np.float32(self._get(name, default))))

    def _integral(self):
        return self._context[self._node.output[0]].dtype.kind in "iu"

    def _mul(self, a, b):
        return a * b

    def _add(self, a, b):
        return a + b

    def _sub(self, a, b):
        return a - b

    def _div(self, a, b):
        a, b = np.broadcast_arrays(a, b)
        pairs = [Fraction(x) / y for x, y in zip(a.ravel(), b.ravel(), strict=True)]
        result = np.empty(a.shape, object)
        result.ravel()[:] = [math.trunc(q) for q in pairs] if self._integral() else pairs
        return result

    def _neg(self, a):
        return -a

    def _not(self, a):
        return 1 - a

    def _abs(self, a):
        return abs(a)

    def _sign(self, a):
        return mapped(lambda x: (x > 0) - (x < 0), a)

    def _relu(self, a):
        return mapped(lambda x: max(x, 0), a)

    def _identity(self, a):
        return a

    def _cast(self, a):
        return a

    def _dropout(self, a, ratio=None, training=None):
        if training is not None and training.any():
            raise Undefined("Dropout")
        return a

    def _floor(self, a):
        return mapped(math.floor, a)

    def _ceil(self, a):
        return mapped(math.ceil, a)

    def _round(self, a):
        return mapped(round, a)

    def _clip(self, a, low=None, high=None):
        bounds = [
            self._get(name) if given is None else given.item()
            for name, given in (("min", low), ("max", high))
        ]
        low, high = (
            None if b is None else Fraction(b) if np.isfinite(float(b)) else float(b) for b in bounds
        )

        def clipped(x):
            x = x if low is None else max(x, low)
            return x if high is None else min(x, high)

        return mapped(clipped, a)

    def _leakyrelu(self, a):
        alpha = self._number("alpha", 0.01)
        return mapped(lambda x: x if x >= 0 else alpha * x, a)

    def _prelu(self, a, slope):
        bent = a * slope
        return np.where(mapped(lambda x: x >= 0, a).astype(bool), a, bent)

    def _batchnormalization(self, a, gamma, beta, mean, var):
        if self._get("training_mode", 0) or not self._get("spatial", 1):
            raise Undefined("BatchNormalization")
        epsilon = float(self._number("epsilon", 1e-5))
        last = "channels_last" in self._node.domain
        shape = (-1,) if last else (-1, *[1] * (a.ndim - 2))
        sigma = mapped(lambda v: Fraction(math.sqrt(float(v) + epsilon)), var)
        gamma, beta, mean, sigma = (part.reshape(shape) for part in (gamma, beta, mean, sigma))
        return gamma * (a - mean) / sigma + beta

    def _quant(self, a, scale, zero, bits):
        signed, narrow, width = self._get("signed", 1), self._get("narrow", 0), int(bits.item())
        scaled = a / scale + zero
        if width == 1 and signed:
            codes = mapped(lambda x: 1 if x >= 0 else -1, scaled)
        else:
            codes = self._clamped(scaled, width, signed, narrow, self._get("rounding_mode", "ROUND"))
        return (codes - zero) * scale

    _intquant = _quant

    @staticmethod
    def _clamped(scaled, width, signed, narrow, mode):
        low = -(1 << (width - 1)) + narrow if signed else 0
        high = (1 << (width - 1)) - 1 if signed else (1 << width) - 1 - narrow
        return mapped(lambda x: _ROUNDING[mode.upper()](min(max(x, low), high)), scaled)

    def _bipolarquant(self, a, scale):
        return mapped(lambda x: 1 if x >= 0 else -1, a) * scale

    def _trunc(self, a, scale, zero, bits, *out):
        codes = mapped(round, a / scale + zero)
        mode = self._get("rounding_mode", "FLOOR")
        if len(out) == 1:
            shift = int(bits.item()) - int(out[0].item())
            return (mapped(_ROUNDING[mode.upper()], codes * Fraction(2) ** -shift) - zero) * scale
        out_scale, width = out[0].item(), int(out[1].item())
        power = Fraction(2) ** round(math.log2(out_scale / scale.item()))
        codes = self._clamped(codes / power, width, self._get("signed", 1), self._get("narrow", 0), mode)
        return (codes - zero / power) * out_scale

    def _multithreshold(self, a, table):
        layout = self._get("data_layout", "") or {2: "NC", 3: "NWC", 4: "NCHW"}[a.ndim]
        moved = np.moveaxis(a, layout.index("C"), -1)
        table = np.broadcast_to(table, (moved.shape[-1], table.shape[1]))
        counts = (moved[..., None] >= table).sum(axis=-1)
        counts = np.moveaxis(fractions(np.asarray(counts)), -1, layout.index("C"))
        return counts * self._number("out_scale", 1.0) + self._number("out_bias", 0.0)

    def _conv(self, a, weights, bias=None):
        last = "channels_last" in self._node.domain
        if last:
            a, weights = np.moveaxis(a, -1, 1), np.moveaxis(weights, -1, 1)
        made = convolve(a, weights, self._attributes)
        if bias is not None:
            made = made + bias.reshape(-1, *[1] * (made.ndim - 2))
        return np.moveaxis(made, 1, -1) if last else made

    def _convtranspose(self, a, weights, bias=None):
        made = convolve_transposed(a, weights, self._attributes, self._context[self._node.output[0]].shape)
        return made if bias is None else made + bias.reshape(-1, *[1] * (made.ndim - 2))

    def _placed(self, a, *_):
        """What only moves numbers, found by moving their places."""
        places = np.arange(a.size, dtype=np.float32).reshape(a.shape)
        context = {**self._context, self._node.input[0]: places}
        Executable(self._node, context, self._drawing.opset).run(context)
        return a.ravel()[context[self._node.output[0]].astype(int)]

    _depthtospace = _spacetodepth = _resize = _upsample = _slice = _placed

    def _matmul(self, a, b):
        return np.matmul(a, b)

    def _gemm(self, a, b, c=None):
        a, b = (m.T if self._get(name, 0) else m for m, name in ((a, "transA"), (b, "transB")))
        made = self._number("alpha", 1.0) * np.matmul(a, b)
        return made if c is None else made + self._number("beta", 1.0) * c

    def _pad(self, a, pads=None, value=None, axes=None):
        if self._get("mode", "constant") != "constant":
            raise Undefined("Pad")
        pads = self._get("pads") if pads is None else pads.tolist()
        fill = self._number("value", 0.0) if value is None else value.item()
        axes = range(a.ndim) if axes is None else [axis % a.ndim for axis in axes.tolist()]
        around = [(0, 0)] * a.ndim
        for place, axis in enumerate(axes):
            around[axis] = (int(pads[place]), int(pads[place + len(pads) // 2]))
        return np.pad(a, around, constant_values=fill)

    def _maxpool(self, a):
        return max_pool(a, self._attributes)

    def _averagepool(self, a):
        return average_pool(a, self._attributes)

    def _globalaveragepool(self, a):
        return self._mean(a, tuple(range(2, a.ndim)), True)

    def _globalmaxpool(self, a):
        return a.max(axis=tuple(range(2, a.ndim)), keepdims=True)

    @staticmethod
    def _mean(a, axes, keep):
        count = math.prod(a.shape[axis] for axis in axes)
        return a.sum(axis=axes, keepdims=keep) * Fraction(1, count)

    def _reducemean(self, a, given=None):
        axes = self._get("axes") if given is None else given.tolist()
        if not axes and self._get("noop_with_empty_axes", 0):
            return a
        axes = tuple(int(axis) % a.ndim for axis in axes or range(a.ndim))
        return self._mean(a, axes, bool(self._get("keepdims", 1)))

    def _moved(self, a, *_):
        return a.reshape(self._context[self._node.output[0]].shape)

    _reshape = _flatten = _squeeze = _unsqueeze = _moved

    def _transpose(self, a):
        return a.transpose(self._get("perm"))

    def _shape(self, a):
        return fractions(self._context[self._node.output[0]])

    def _gather(self, a, index):
        return np.take(a, index.astype(int), self._get("axis", 0))

    def _concat(self, *parts):
        return np.concatenate(parts, self._get("axis"))
