"""The image port's way to the feature memories, through the quantizers where the engine trains."""

from __future__ import annotations

from amaranth import Cat, Module
from amaranth.lib import wiring

from ..config.engine import EngineConfig
from ..interface.registers import REGISTERS
from .host_port import HostPort
from .output.plane_packer import PlanePacker
from .sequencer import Sequencer
from .training.operand_port import OperandPort


def connect_image(
    m: Module, config: EngineConfig, image: wiring.Interface, sequencer: Sequencer, packer: PlanePacker
) -> None:
    """The bytes of the stream `image` to the packer."""
    data = image.payload.data
    m.d.comb += [
        packer.image_valid.eq(sequencer.load),
        packer.image_codes.eq(
            Cat(data[8 * byte : 8 * byte + config.a_bits] for byte in range(config.port_bytes))
        ),
        packer.image_count.eq(sequencer.load_count),
        packer.image_last.eq(sequencer.load_last),
        sequencer.load_ready.eq(packer.ready),
    ]


def connect_operands(
    m: Module, operands: OperandPort, image: wiring.Interface, host: HostPort, sequencer: Sequencer, packer: PlanePacker
) -> None:
    """The beats of the stream `image` to the packer or the quantizers, as the host's registers say."""
    m.d.comb += [
        *(sequencer.job[field.name].eq(getattr(host, field.name)) for field in REGISTERS["job"].fields),
        sequencer.program_start.eq(host.program_start),
        sequencer.settled.eq(operands.settled),
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
