"""One layer in training: its float parameters, and what it remembers between forward and backward."""

import numpy as np

from ..backward.shape import ConvolutionShape
from ..network.layer import Layer
from ..network.parts import BatchNorm
from ..network.shapes import LayerShapes
from ..quantizers.dorefa import quantize_activations_backward, quantize_weights
from ..zoo.architecture import LayerSpec
from . import layers
from .convolution import Convolution, Parameters
from .recipe import FLOAT, LayerBits

NORM_EPS = 1e-4
# Least weight of a batch in the running statistics of batch normalization.
NORM_SHARE = 0.01


class TrainLayer:
    """Convolution, batch normalization, pooling, clip and activation quantizer of one layer.

    `parameters` holds "weight" (Cout, Kh, Kw, Cin / groups), and "gamma", "beta", "bias" (Cout,) where the
    layer has them; `mean` and `var` are the running statistics; all of one float dtype. `convolution` is set
    by the network.
    """

    convolution: Convolution

    def __init__(
        self,
        spec: LayerSpec,
        shapes: LayerShapes,
        bits: LayerBits,
        rng: np.random.Generator,
        dtype: np.dtype | type[np.floating],
    ):
        self.spec, self.bits = spec, bits
        self.in_shape, self.out_shape = shapes.in_shape, shapes.out_shape
        shape = spec.weights_shape(self.in_shape)
        # He initialization: keeps the variance through layers that zero half of their input.
        spread = np.sqrt(2 / np.prod(shape[1:]))
        weight = (rng.standard_normal(shape) * spread).astype(dtype)
        self.parameters: Parameters = {"weight": weight}
        if spec.bias:
            self.parameters["bias"] = np.zeros(spec.channels, dtype)
        if spec.norm:
            self.parameters["gamma"] = np.ones(spec.channels, dtype)
            self.parameters["beta"] = np.zeros(spec.channels, dtype)
            self.mean = np.zeros(spec.channels, dtype)
            self.var = np.ones(spec.channels, dtype)

    @property
    def shape(self) -> ConvolutionShape:
        """The layer's convolution, for a backend."""
        return ConvolutionShape(
            name=self.spec.name,
            in_shape=self.in_shape,
            channels=self.spec.channels,
            kernel=self.spec.kernel,
            **self.spec.spacing,
            w_bits=self.bits.weights,
            a_bits=self.bits.reads,
            g_bits=self.bits.gradients,
        )

    @property
    def statistics(self) -> dict[str, np.ndarray]:
        """The running statistics by name, the arrays themselves; empty without batch normalization."""
        return {"mean": self.mean, "var": self.var} if self.spec.norm else {}

    def forward(self, x: np.ndarray, step: int | None) -> np.ndarray:
        """Output activations (N, H, W, C), codes or floats as `bits.yields` says, for input activations x.

        With the batch's statistics in training step `step`, from 0, with the running ones where it is None.
        """
        spec, parameters = self.spec, self.parameters
        out = self.convolution.forward(x.reshape(len(x), *self.in_shape), step is not None)
        self.conv_shape = out.shape
        if spec.norm and step is not None:
            gamma, beta = parameters["gamma"], parameters["beta"]
            out, normalized, sigma, mean, var = layers.batch_norm(out, gamma, beta, NORM_EPS)
            self.normal = normalized, sigma
            # A plain mean of the first batches, then a moving one: no trace of the start values.
            share = max(1 / (step + 1), NORM_SHARE)
            self.mean += share * (mean - self.mean)
            self.var += share * (var - self.var)
        elif spec.norm:
            factor = parameters["gamma"] / np.sqrt(self.var + out.dtype.type(NORM_EPS))
            out = (out - self.mean) * factor + parameters["beta"]
        if spec.pool is not None:
            out, self.position = layers.max_pool(out, spec.pool.kernel, spec.pool.stride)
        if self.bits.yields is None:
            return out
        self.bounded = out
        return bounded_activations(out, self.bits.yields)

    def backward(
        self, gradient: np.ndarray, step: int, input_needed: bool
    ) -> tuple[np.ndarray | None, Parameters]:
        """Gradient of the input's real values (None unless `input_needed`) and of the parameters, by name.

        gradient is that of the real values of `forward`'s result in the training step `step`.
        """
        spec, of_norm = self.spec, {}
        if self.bits.yields is not None:
            gradient = quantize_activations_backward(gradient, self.bounded)
        if spec.pool is not None:
            gradient = layers.max_pool_backward(
                gradient, self.position, self.conv_shape, spec.pool.kernel, spec.pool.stride
            )
        if spec.norm:
            gradient, of_norm["gamma"], of_norm["beta"] = layers.batch_norm_backward(
                gradient, *self.normal, self.parameters["gamma"]
            )
        in_gradient, gradients = self.convolution.backward(gradient, step, input_needed)
        return in_gradient, gradients | of_norm

    def freeze(self) -> Layer:
        """The layer for inference: weight codes and scale, running statistics, no float weights."""
        spec, parameters = self.spec, self.parameters
        codes, scale = quantize_weights(parameters["weight"], self.bits.weights)
        norm = None
        if spec.norm:
            norm = BatchNorm(
                gamma=parameters["gamma"], beta=parameters["beta"], mean=self.mean, var=self.var, eps=NORM_EPS
            )
        return spec.layer(
            codes=codes,
            w_bits=self.bits.weights,
            scale=scale,
            bias=parameters.get("bias"),
            norm=norm,
            a_bits=self.bits.yields,
        )


def bounded_activations(r: np.ndarray, bits: int) -> np.ndarray:
    """Eq. 11: r clipped to [0, 1], then codes uint8 of `bits`; for 32 bits the clipped numbers.

    Rounds the product in the dtype of r, several times faster than the exact `quantizers` and
    different from it only within one rounding error of a tie.
    """
    r = np.clip(r, 0, 1)
    if bits == FLOAT:
        return r
    r *= r.dtype.type((1 << bits) - 1)
    return np.rint(r, out=r).astype(np.uint8)
