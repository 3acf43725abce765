"""What leaves every layer, on wires that nothing but simulations look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from amaranth import Cat, Module, Signal

from .plan import PipelinePlan
from .rom.stage import RomStage
from .slots.stream import Stream
from .stage import LayerStage

# Names of the wires in the Verilog.
SLOTS, RESTARTS, WORDS = "status__slots", "status__restarts", "status__words"


@dataclass(frozen=True, kw_only=True, eq=False)
class Output:
    """Codes or sums that leave a layer, or its trunk, under the `name` that golden gives them.

    port: their slots, of `numbers` numbers each; stream: when these come; shape: (H, W, C) of the map;
    signed: whether numbers are two's complement; flush: blank slots that push out what is read.
    """

    name: str
    port: Any
    stream: Stream
    shape: tuple[int, int, int]
    numbers: int
    signed: bool
    flush: int

    @property
    def bits(self) -> int:
        """Bits of a number."""
        return len(self.port.word) // self.numbers

    @property
    def word_bytes(self) -> int:
        """Whole bytes of a slot."""
        return -(-len(self.port.word) // 8)

    @property
    def slots(self) -> int:
        """Slots of a map."""
        return prod(self.shape) // self.numbers

    @property
    def alone(self) -> int:
        """Slots that come of an image which no other follows; nothing reads the rest."""
        causes = self.stream.causes
        come = int((causes < self.stream.pixels + self.flush).sum())
        return self.slots * come // len(causes)


def outputs(plan: Any) -> Iterator[Output]:
    """All that leaves the layers of a plan; nothing of a hybrid's, which has no wires for it."""
    if not isinstance(plan, PipelinePlan):
        return
    flow, flush = plan.flow, plan.flush
    for place, stage in enumerate(plan.stages):
        layer = stage.layer
        if isinstance(stage, RomStage):
            flush = stage.flush
        has_codes = layer.rescale is None or layer.code_bits is not None
        if has_codes:
            yield Output(
                name=layer.name,
                port=stage.o,
                stream=flow.codes[place],
                shape=layer.out_shape,
                numbers=stage.numbers,
                signed=layer.is_result or layer.out_signed,
                flush=flush,
            )
        if isinstance(stage, LayerStage) and layer.rescale is not None and (layer.trunk or not has_codes):
            yield Output(
                name=f"{layer.name}.trunk" if has_codes else layer.name,
                port=stage.term if layer.add is None else flow.adders[place].o,
                stream=flow.trunks[place],
                shape=layer.conv_shape,
                numbers=layer.out_channels,
                signed=True,
                flush=flush,
            )


class Watch:
    """Signals of all outputs of a plan side by side, the first one's lowest: `slots`, whether a slot of an
    image leaves, and `restarts`, a bit each; `words`, in each one's :attr:`Output.word_bytes`."""

    def __init__(self, plan: PipelinePlan) -> None:
        self._outputs = list(outputs(plan))
        self.slots = Signal(len(self._outputs), name=SLOTS)
        self.restarts = Signal(len(self._outputs), name=RESTARTS)
        self.words = Signal(8 * sum(output.word_bytes for output in self._outputs), name=WORDS)

    def connect(self, m: Module) -> None:
        """Connects the wires, where the stages are."""
        ports = [output.port for output in self._outputs]
        m.d.comb += [
            self.slots.eq(Cat(port.valid & ~port.blank for port in ports)),
            self.restarts.eq(Cat(port.restart for port in ports)),
        ]
        at = 0
        for output in self._outputs:
            m.d.comb += self.words[at : at + 8 * output.word_bytes].eq(output.port.word)
            at += 8 * output.word_bytes
