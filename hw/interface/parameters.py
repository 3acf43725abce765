"""Words of the parameter memories, which the compiler fills and the quantizers read."""

from amaranth import signed
from amaranth.lib import data

from ..config.engine import EngineConfig


def threshold_bits(config: EngineConfig) -> int:
    """Bits of a threshold; where channels may be inverted, one more, which says so in stage 0."""
    return config.acc_bits + config.inverts


def affine_layout(config: EngineConfig) -> data.StructLayout:
    """Fields of an affine quantizer's word, lowest first; `invert` takes the code from `code_mask`."""
    return data.StructLayout(
        {
            "m": config.mul_bits,
            "b": signed(config.bias_bits),
            "f": config.shift_bits,
            "tie": 1,
            "invert": 1,
        }
    )


def rescale_layout(config: EngineConfig) -> data.StructLayout:
    """Fields of a word that rescales into a residual trunk, lowest first."""
    return data.StructLayout({"m": signed(config.trunk_mul_bits), "b": signed(config.trunk_bias_bits)})
