"""How the staircase from accumulators to codes is computed: by thresholds, or by one multiplication."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.affine_form import affine_form
from dorefa.golden.lowering.integer_network import IntegerLayer

from ..config.engine import EngineConfig
from .parameters import affine_layout, threshold_bits

# Per channel and stage of the quantizer its parameter words.
Rows = list[list[list[int]]]


@dataclass(frozen=True)
class Quantizer:
    """What an engine and its compiler need to know of a quantizer. `name`: the engine parameter."""

    name: str

    def stages(self, config: EngineConfig) -> int:
        """Memories of a channel; stage s has ``1 << s`` words for each of its parameters."""
        raise NotImplementedError

    def word_bits(self, config: EngineConfig) -> int:
        """Bits of a parameter word."""
        raise NotImplementedError

    def memory_name(self, number: int, config: EngineConfig) -> str:
        """Instance of memory `number` within the quantizer."""
        raise NotImplementedError

    def latency(self, config: EngineConfig) -> int:
        """Cycles from accumulators to codes."""
        raise NotImplementedError

    def raw(self, layer: IntegerLayer, channel: int, constant: int, config: EngineConfig) -> list[list[int]]:
        """Words of a channel without staircase: the `constant` that its accumulator lacks."""
        raise NotImplementedError

    def rows(
        self,
        layer: IntegerLayer,
        constants: np.ndarray,
        value_range: tuple[int, int],
        zero_count: int | None,
        config: EngineConfig,
    ) -> tuple[Rows, list[list[int]]]:
        """(words of every channel, those of a channel of zeros) of an IntegerLayer whose values lack
        `constants`, int64 (Cout,), and lie within `value_range`; `zero_count`: the count whose code is 0."""
        raise NotImplementedError

    def problems(self, layers: Iterable[IntegerLayer], config: EngineConfig) -> Iterator[str]:
        """What keeps IntegerLayers from this quantizer."""
        return iter(())

    def widths(self, layer: IntegerLayer, constants: np.ndarray) -> dict[str, int]:
        """Engine parameters, name -> least value, for an IntegerLayer whose values lack `constants`, int64
        (Cout,). Raises :class:`InputError` where it cannot be quantized so."""
        return {}


@dataclass(frozen=True)
class _Thresholds(Quantizer):
    """Binary search among ``2^out_bits - 1`` thresholds."""

    def stages(self, config: EngineConfig) -> int:
        return config.out_bits

    def word_bits(self, config: EngineConfig) -> int:
        return threshold_bits(config)

    def memory_name(self, number: int, config: EngineConfig) -> str:
        lane, stage = divmod(number, config.out_bits)
        return f"lane{lane}_stage{stage}"

    def latency(self, config: EngineConfig) -> int:
        """A memory's answer, a register behind it, the comparison, for every bit."""
        return 3 * config.out_bits

    def raw(self, layer: IntegerLayer, channel: int, constant: int, config: EngineConfig) -> list[list[int]]:
        mask = (1 << config.acc_bits) - 1
        return [[constant & mask], *([0] * (1 << stage) for stage in range(1, config.out_bits))]

    def rows(
        self,
        layer: IntegerLayer,
        constants: np.ndarray,
        value_range: tuple[int, int],
        zero_count: int | None,
        config: EngineConfig,
    ) -> tuple[Rows, list[list[int]]]:
        assert layer.thresholds is not None, "a layer without codes has raw words"
        least, greatest = value_range
        never = greatest + 1
        used = layer.thresholds.shape[1]
        rows = []
        for channel, thresholds in enumerate(layer.thresholds):
            # A threshold beyond what this channel's counts reach need not fit the width.
            stored = (thresholds - constants[channel]).clip(least, never)
            rows.append(self._stages(stored, never, layer.inverted[channel], config))
        # A filling channel's trunk is 0, which may lie outside of what the others reach.
        zero = zero_count or 0
        fills = [min(least, 0)] * zero + [max(never, 1)] * (used - zero)
        return rows, self._stages(fills, never, False, config)

    @staticmethod
    def _stages(
        thresholds: Iterable[int], never: int, inverted: bool, config: EngineConfig
    ) -> list[list[int]]:
        """Per stage of the search its thresholds; codes that the layer does not use have one that nothing
        reaches."""
        codes, mask = 1 << config.out_bits, (1 << config.acc_bits) - 1
        # Thresholds of codes 1, 2, ...; index 0 is not a threshold.
        level = [0, *(int(threshold) & mask for threshold in thresholds)]
        level += [never & mask] * (codes - len(level))
        stages = []
        for stage in range(config.out_bits):
            step = codes >> (stage + 1)
            stages.append([level[(2 * bits + 1) * step] for bits in range(1 << stage)])
        if inverted:
            stages[0][0] |= 1 << config.acc_bits
        return stages


@dataclass(frozen=True)
class _Affine(Quantizer):
    """One multiplication, one addition, one shift."""

    def stages(self, config: EngineConfig) -> int:
        return 1

    def word_bits(self, config: EngineConfig) -> int:
        return affine_layout(config).size

    def memory_name(self, number: int, config: EngineConfig) -> str:
        return f"lane{number}"

    def latency(self, config: EngineConfig) -> int:
        return 6

    def raw(self, layer: IntegerLayer, channel: int, constant: int, config: EngineConfig) -> list[list[int]]:
        return [[self._word(layer, channel, config, b=constant)]]

    def rows(
        self,
        layer: IntegerLayer,
        constants: np.ndarray,
        value_range: tuple[int, int],
        zero_count: int | None,
        config: EngineConfig,
    ) -> tuple[Rows, list[list[int]]]:
        form = affine_form(layer, config.mul_bits)
        rows = []
        for channel, constant in enumerate(constants):
            m, b, f, tie = (int(values[channel]) for values in (form.m, form.b, form.f, form.tie))
            b += m * int(constant)
            invert = int(layer.inverted[channel])
            rows.append([[self._word(layer, channel, config, m=m, b=b, f=f, tie=tie, invert=invert)]])
        return rows, [[self._word(layer, 0, config, b=zero_count or 0)]]

    @staticmethod
    def _word(
        layer: IntegerLayer, channel: int, config: EngineConfig, *, b: int, f: int = 0, **fields: int
    ) -> int:
        """A parameter word; `m` is known to fit."""
        limit = 1 << (config.bias_bits - 1)
        if f >= 1 << config.shift_bits or not -limit <= b < limit:
            raise InputError(
                f"layer {layer.name} channel {channel}: affine offset b = {b} and shift f = {f} do "
                f"not fit bias_bits = {config.bias_bits} and shift_bits = {config.shift_bits}; "
                "accepted: wider ones, or quantizer thresholds"
            )
        return affine_layout(config).const({"b": b, "f": f, **fields}).as_value().value

    def problems(self, layers: Iterable[IntegerLayer], config: EngineConfig) -> Iterator[str]:
        for layer in layers:
            try:
                if layer.thresholds is not None:
                    affine_form(layer, config.mul_bits)
            except InputError as error:
                yield str(error)

    def widths(self, layer: IntegerLayer, constants: np.ndarray) -> dict[str, int]:
        if layer.thresholds is None:
            return {
                "mul_bits": 1,
                "bias_bits": max(2, int(abs(constants).max()).bit_length() + 1),
                "shift_bits": 1,
            }
        form = affine_form(layer, 48)
        multipliers, offsets, shifts = [1], [2], [1]
        for channel in range(len(layer.codes)):
            m, b, f = (int(values[channel]) for values in (form.m, form.b, form.f))
            b += m * int(constants[channel])
            multipliers.append(m.bit_length())
            offsets.append((b if b >= 0 else -b - 1).bit_length() + 1)
            shifts.append(f.bit_length())
        return {"mul_bits": max(multipliers), "bias_bits": max(offsets), "shift_bits": max(shifts)}


QUANTIZERS: dict[str, Quantizer] = {"thresholds": _Thresholds("thresholds"), "affine": _Affine("affine")}


def quantizer_of(config: EngineConfig) -> Quantizer:
    """The quantizer of an engine of `config`."""
    return QUANTIZERS[config.quantizer]
