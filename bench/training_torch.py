"""The training step of golden, Algorithm 1 of the paper, in PyTorch with autograd, on one thread."""

import numpy as np
import torch
from torch.nn import functional

from dorefa.golden.train.layer import NORM_EPS
from dorefa.golden.train.matrix_backend import MatrixBackend
from dorefa.golden.train.network import TrainNetwork


class Rounded(torch.autograd.Function):
    """Eq. 5 and 6: rounding to multiples of 1 / levels, straight through."""

    @staticmethod
    def forward(context, r, levels):
        return torch.round(r * levels) / levels

    @staticmethod
    def backward(context, gradient):
        return gradient, None


class Sign(torch.autograd.Function):
    """Eq. 7 and 8."""

    @staticmethod
    def forward(context, w):
        scale = w.abs().mean()
        return torch.where(w >= 0, scale, -scale)

    @staticmethod
    def backward(context, gradient):
        return gradient


class QuantizedGradient(torch.autograd.Function):
    """Eq. 12, on the way back."""

    @staticmethod
    def forward(context, x, levels):
        context.levels = levels
        return x.view_as(x)

    @staticmethod
    def backward(context, gradient):
        n = context.levels
        m = gradient.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-30)
        codes = torch.floor(n * (gradient / m * 0.5 + 0.5) + torch.rand_like(gradient))
        return m * (2 * codes.clamp(max=n) - n) / n, None


def quantized_weights(w, bits):
    """Eq. 7 and 9, the greatest tanh a constant."""
    if bits == 1:
        return Sign.apply(w)
    bounded = torch.tanh(w)
    return 2 * Rounded.apply(bounded / (2 * bounded.abs().max().detach()) + 0.5, (1 << bits) - 1) - 1


class TorchStep:
    """step(number, images, labels) takes a step of a chain with Adam, from golden's initial weights."""

    def __init__(self, architecture, recipe):
        torch.set_num_threads(1)
        self.layers = list(zip(architecture.layers, recipe.layer_bits(architecture), strict=True))
        self.parameters = {}
        start = TrainNetwork(architecture, recipe, MatrixBackend(None)).parameters
        for name, value in start.items():
            value = value.transpose(0, 3, 1, 2) if value.ndim == 4 else value
            self.parameters[name] = torch.tensor(np.ascontiguousarray(value), requires_grad=True)
        self.optimizer = torch.optim.Adam(self.parameters.values(), lr=recipe.rate)

    def __call__(self, number, images, labels):
        x = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
        for spec, bits in self.layers:
            x = self.layer(x, spec, bits)
        loss = functional.cross_entropy(x.flatten(1), torch.from_numpy(labels.astype(np.int64)))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.detach())

    def layer(self, x, spec, bits):
        if spec.kind == "fc":
            x = x.permute(0, 2, 3, 1).reshape(len(x), -1, 1, 1)
        top, left, bottom, right = spec.padding
        if any(spec.padding):
            x = functional.pad(x, (left, right, top, bottom))
        weight = quantized_weights(self.parameters[f"{spec.name}.weight"], bits.weights)
        x = functional.conv2d(x, weight, stride=spec.stride)
        if spec.bias:
            x = x + self.parameters[f"{spec.name}.bias"].reshape(-1, 1, 1)
        x = QuantizedGradient.apply(x, (1 << bits.gradients) - 1)
        if spec.norm:
            gamma, beta = (self.parameters[f"{spec.name}.{name}"] for name in ("gamma", "beta"))
            x = functional.batch_norm(x, None, None, gamma, beta, training=True, eps=NORM_EPS)
        if spec.pool is not None:
            x = functional.max_pool2d(x, spec.pool.kernel, spec.pool.stride)
        return x if bits.yields is None else Rounded.apply(x.clamp(0, 1), (1 << bits.yields) - 1)
