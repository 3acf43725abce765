"""The host's bus: registers and memories of :mod:`dorefa.hw.interface.memory_map`."""

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..config.engine import EngineConfig
from .memory_map import MemoryMap
from .register import WORD_BITS


def bus_signature(address_bits: int, *, locked: bool = False) -> wiring.Signature:
    """Host bus of word addresses of so many bits, seen from the host; see :func:`host_signature`."""
    return wiring.Signature(
        {
            "addr": Out(address_bits),
            "w_data": Out(WORD_BITS),
            "w_en": Out(1),
            "r_data": In(WORD_BITS),
            **({"locked": In(1)} if locked else {}),
        }
    )


def host_signature(config: EngineConfig) -> wiring.Signature:
    """Host bus, seen from the host: a register is written on the edge that ends the cycle of `w_en`, a memory
    one cycle later; `r_data` holds the register at `addr` one cycle later. Memories are
    write-only. Where the engine is guarded, `locked` says that a write in the next cycle is refused, but of
    what is free (:mod:`.address_space`)."""
    return bus_signature(MemoryMap.of(config).address_bits, locked=config.guarded)
