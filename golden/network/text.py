"""What a network and a layer are in one line, for `repr`."""

from collections.abc import Iterable, Sequence

from .quantized_layer import QuantizedLayer


def layer_line(layer: QuantizedLayer, a_bits: int | None) -> str:
    """As ``Layer('conv1', conv 3x3, 16 -> 32 channels, W1 bipolar, A2)``; a_bits: of its quantizer."""
    outputs, height, width, inner = layer.codes.shape
    parts = [
        repr(layer.name),
        f"conv {height}x{width}" if layer.kind == "conv" else layer.kind,
        f"{inner * layer.groups} -> {outputs} channels",
        f"W{layer.w_bits} {layer.encoding}",
    ]
    if layer.pool is not None:
        parts.append("{} pool {}x{}".format(layer.pool.kind, *layer.pool.kernel))
    if a_bits is not None:
        parts.append(f"A{a_bits}")
    return f"{type(layer).__name__}({', '.join(parts)})"


def network_line(
    kind: str,
    name: str,
    input_shape: tuple[int, int, int],
    layers: Sequence[QuantizedLayer],
    a_bits: Iterable[int | None],
) -> str:
    """As ``Network('digits', 28x28x1 -> 10, 6 layers, W1/8 A2)``, with the widths that occur.

    kind: the class; a_bits: of every layer's quantizer.
    """
    image = "x".join(map(str, input_shape))
    count = f"{len(layers)} layers" if len(layers) > 1 else "1 layer"
    widths = f"W{_joined(layer.w_bits for layer in layers)}"
    activations = _joined(bits for bits in a_bits if bits is not None)
    widths += f" A{activations}" if activations else ""
    return f"{kind}({name!r}, {image} -> {layers[-1].out_channels}, {count}, {widths})"


def _joined(widths: Iterable[int]) -> str:
    return "/".join(map(str, sorted(set(widths))))
