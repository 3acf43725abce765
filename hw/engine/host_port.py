"""The host's side: registers, and words put together for the memories."""

from functools import reduce
from operator import or_

from amaranth import Cat, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..interface import memory_map
from ..interface.host_bus import host_signature
from ..interface.memory_map import REGISTER_BITS, MemoryMap


class HostPort(wiring.Component):
    """Registers of :data:`.registers.REGISTERS`, and one write port for all memories.

    Ports: `host`; per window NAME of the map `NAME_en` (one bit per memory), `NAME_address`, `NAME_data`;
    `enable`, `layers`, `image_bytes`; `busy`, `wrong_packet`, `wrong_weights`, `wrong_trunks` (pulses) and
    `cycles` from the engine.
    `init`: reset values of control, layers and image_bytes of a preloaded engine.
    """

    def __init__(self, config, *, init=None):
        self._config = config
        self._preloaded = init is not None
        self._init = {"control": 0, "layers": 1, "image_bytes": 1} | (init or {})
        self._map = MemoryMap.of(config)
        ports = {
            "host": In(host_signature(config)),
            "enable": Out(1, init=self._init["control"]),
            "layers": Out(config.layer_depth.bit_length(), init=self._init["layers"]),
            "image_bytes": Out(config.image_bytes_bits, init=self._init["image_bytes"]),
            "busy": In(1),
            "wrong_packet": In(1),
            "wrong_weights": In(1),
            "wrong_trunks": In(1),
            "cycles": In(32),
        }
        for window in self._map.windows:
            ports |= {f"{window.name}_{part}": Out(shape) for part, shape in window.write_ports(1).items()}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        config, host = self._config, self.host
        shift = self._map.select_shift
        select = host.addr[shift:]
        pulses = [self.wrong_packet, self.wrong_weights]
        if config.trunks == "stream":
            pulses.append(self.wrong_trunks)
        wrong = Signal(len(pulses))

        widest = max(window.pieces for window in self._map.windows)
        earlier = [Signal(32, name=f"piece_{piece}", reset_less=True) for piece in range(widest - 1)]
        # Memories lie all over the device: what goes there comes from registers. Before a reset these may be
        # anything, and must not write to a memory that is preloaded.
        addr, w_data = (Signal.like(value, reset_less=True) for value in (host.addr, host.w_data))
        m.d.sync += [addr.eq(host.addr), w_data.eq(host.w_data)]
        taken = [0] * len(earlier)
        for window in self._map.windows:
            piece = host.addr[: window.piece_bits]
            chosen = host.w_en & (select == window.select)
            depth_ends = window.piece_bits + window.depth_bits
            memory = host.addr[depth_ends : window.offset_bits]
            complete = Signal(window.memories, name=f"{window.name}_complete")
            completes = chosen & (piece == window.pieces - 1)
            m.d.sync += complete.eq(Cat(completes & (memory == number) for number in range(window.memories)))
            enables = complete & ~ResetSignal().replicate(window.memories) if self._preloaded else complete
            m.d.comb += [
                getattr(self, f"{window.name}_en").eq(enables),
                getattr(self, f"{window.name}_address").eq(addr[window.piece_bits : depth_ends]),
                getattr(self, f"{window.name}_data").eq(Cat(*earlier[: window.pieces - 1], w_data)),
            ]
            for number in range(window.pieces - 1):
                taken[number] |= chosen & (piece == number)
        for number, own in enumerate(earlier):
            takes = Signal(name=f"takes_{number}")
            m.d.sync += takes.eq(taken[number])
            with m.If(takes):
                m.d.sync += own.eq(w_data)

        # Registers repeat up to the first window, so that there is little of an address to compare.
        registers, place = select == 0, host.addr[:REGISTER_BITS]

        def address(name):
            return memory_map.REGISTERS[name][0]

        with m.If(host.w_en & registers):
            with m.Switch(place):
                with m.Case(address("control")):
                    m.d.sync += self.enable.eq(host.w_data[0])
                with m.Case(address("layers")):
                    m.d.sync += self.layers.eq(host.w_data)
                with m.Case(address("image_bytes")):
                    m.d.sync += self.image_bytes.eq(host.w_data)
                with m.Case(address("status")):
                    m.d.sync += wrong.eq(wrong & ~host.w_data[1 : 1 + len(wrong)])
        for bit, pulse in enumerate(pulses):
            with m.If(pulse):
                m.d.sync += wrong[bit].eq(1)

        fixed = {
            "identity": memory_map.IDENTITY,
            "version": memory_map.VERSION,
            "array": config.lanes | config.total_rows << 12 | config.cols << 24,
            "widths": config.w_bits | config.a_bits << 8 | config.out_bits << 16 | config.total_quant << 24,
        }
        varying = {
            "control": self.enable,
            "layers": self.layers,
            "image_bytes": self.image_bytes,
            "status": Cat(self.busy, wrong),
            "cycles": self.cycles,
        }
        # All but what is read are zero: less to join, a cycle later, than to choose from.
        reads = [Signal(32, name="read_fixed")]
        m.d.sync += reads[0].eq(0)
        with m.If(registers):
            with m.Switch(place):
                for name, value in fixed.items():
                    with m.Case(address(name)):
                        m.d.sync += reads[0].eq(value)
        for name, value in varying.items():
            read = Signal(len(value), name=f"read_{name}")
            m.d.sync += read.eq(Mux(registers & (place == address(name)), value, 0))
            reads.append(read)
        m.d.comb += host.r_data.eq(reduce(or_, reads))
        return m
