"""The image port's way to the feature memories, through the quantizers where the engine trains."""

from __future__ import annotations

from amaranth import Cat, Const, Module, Value
from amaranth.lib import wiring

from ..interface.registers import REGISTERS
from .host_port import HostPort
from .output.plane_packer import PlanePacker
from .sequencer import Sequencer
from .training.operand_port import OperandPort


def connect_loading(
    m: Module,
    image: wiring.Interface,
    host: HostPort,
    sequencer: Sequencer,
    packer: PlanePacker,
    operands: OperandPort | None,
) -> None:
    """What the stream `image` brings, to the packer of the feature memories."""
    m.d.comb += [
        packer.start.eq(sequencer.load_start | (sequencer.start & ~sequencer.layer.raw)),
        packer.image.eq(sequencer.load_start),
        packer.image_bytes.eq(host.image_bytes),
        sequencer.loaded.eq(packer.done),
    ]
    if operands is None:
        _connect_bytes(m, image, sequencer, packer)
    else:
        _connect_words(m, operands, image, host, sequencer, packer)


def _connect_bytes(m: Module, image: wiring.Interface, sequencer: Sequencer, packer: PlanePacker) -> None:
    """All of it is images."""
    data, port_bytes = image.payload.data, len(image.payload.keep)
    bits = len(packer.image_codes) // port_bytes
    m.d.comb += [
        packer.image_valid.eq(sequencer.load),
        packer.image_codes.eq(Cat(_code(data.word_select(byte, 8), bits) for byte in range(port_bytes))),
        packer.image_count.eq(sequencer.load_count),
        packer.image_last.eq(sequencer.load_last),
        sequencer.load_ready.eq(packer.ready),
    ]


def _code(byte: Value, bits: int) -> Value:
    """The code of a byte in so many bits, of which those beyond the byte are never read."""
    return Cat(byte, Const(0, bits - 8)) if bits > 8 else byte[:bits]


def _connect_words(
    m: Module,
    operands: OperandPort,
    image: wiring.Interface,
    host: HostPort,
    sequencer: Sequencer,
    packer: PlanePacker,
) -> None:
    """The host's registers say what it is."""
    m.d.comb += [
        *(sequencer.job[field.name].eq(getattr(host, field.name)) for field in REGISTERS["job"].fields),
        sequencer.program_start.eq(host.program_start),
        sequencer.settled.eq(operands.settled),
        sequencer.leaving.eq(operands.leaving),
        sequencer.load_ready.eq(packer.ready & operands.ready),
        operands.job.eq(sequencer.taken_job),
        operands.layers.eq(sequencer.taken_layers),
        operands.state.eq(Cat(getattr(host, f"noise_seed_{word}") for word in range(4))),
        operands.beat.eq(image.payload.data),
        operands.load.eq(sequencer.load),
        operands.first.eq(sequencer.load_first),
        operands.count.eq(sequencer.load_count),
        operands.last.eq(sequencer.load_last),
        operands.wrong.eq(sequencer.wrong_packet),
        host.measured.eq(operands.measured),
        *(
            getattr(operands, f"{table}_{part}").eq(getattr(host, f"{table}_{part}"))
            for table in ("reciprocals", "thresholds")
            for part in ("en", "address", "data")
        ),
        *(
            getattr(packer, name).eq(getattr(operands, name))
            for name in ("image_valid", "image_codes", "image_count", "image_last")
        ),
    ]
