"""AXI4-Stream and AXI4-Lite around an engine: flat ports under the standard names."""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.golden.errors import InputError

from ..engine.engine import Engine
from ..interface.address_space import AddressSpace

OKAY, SLAVE_ERROR, DECODE_ERROR = 0b00, 0b10, 0b11
# Fields of beats and the ports that carry them.
_SIDEBANDS = {"id": "tid", "error": "tuser"}


def _skid(
    m: Module, *, name: str, valid: Value, ready: Value, payload: Value, take: Value
) -> tuple[Value, Value]:
    """One-entry buffer that lets `ready` come from a register at full throughput.

    Returns (available, value): the oldest pending transfer, gone at the edge where `take` is high.
    """
    full = Signal(name=f"{name}_full")
    held = Signal(len(payload), name=f"{name}_held")
    m.d.comb += ready.eq(~full)
    with m.If(take):
        m.d.sync += full.eq(0)
    with m.Elif(valid & ready):
        m.d.sync += [full.eq(1), held.eq(payload)]
    return full | valid, Mux(full, held, payload)


class AxiLiteBridge(wiring.Component):
    """AXI4-Lite subordinate (32 bits, byte addresses) in front of a word-addressed host bus.

    `addr_bits` is the width of the host's word address; the AXI addresses are two bits wider and their lowest
    two bits are ignored, as AXI allows. `space` (:class:`.AddressSpace`), when given, says what there is: any
    other address answers DECERR and is neither written nor read, and SLVERR answers reads of what can only be
    written, writes of what can only be read and, while `host_locked` says so, of all that is not free.
    Without it every address answers OKAY and what is unmapped is the host's business.

    - A write happens when all four strobes are set. A partial one answers SLVERR and writes
      nothing; one with no strobe set writes nothing and answers OKAY.
    - A write that is locked reaches the host all the same, so that it sees it; it must not let it in.
    - Addresses and data of writes are accepted in any order, up to one write per cycle. One read
      is in flight at a time. Reads and writes alternate when both wait.
    - Every output comes from a register: no combinational path crosses the bridge.
    - A write is in force for every read accepted after it.

    Ports: the AXI4-Lite signals by their standard names in lower case; `host_addr`, `host_w_data`,
    `host_w_en` (outputs, registered), `host_r_data` (valid the cycle after `host_addr`) and `host_locked`
    (whether a write that reaches the host in the next cycle is refused).
    """

    def __init__(self, *, addr_bits: int, space: AddressSpace | None = None) -> None:
        if addr_bits < 1:
            raise InputError(f"addr_bits is {addr_bits}; accepted: at least 1 (bits of a word address)")
        self._addr_bits = addr_bits
        self._space = space
        byte_address = addr_bits + 2
        super().__init__(
            {
                "awaddr": In(byte_address),
                "awprot": In(3),
                "awvalid": In(1),
                "awready": Out(1),
                "wdata": In(32),
                "wstrb": In(4),
                "wvalid": In(1),
                "wready": Out(1),
                "bresp": Out(2),
                "bvalid": Out(1),
                "bready": In(1),
                "araddr": In(byte_address),
                "arprot": In(3),
                "arvalid": In(1),
                "arready": Out(1),
                "rdata": Out(32),
                "rresp": Out(2),
                "rvalid": Out(1),
                "rready": In(1),
                "host_addr": Out(addr_bits),
                "host_w_data": Out(32),
                "host_w_en": Out(1),
                "host_r_data": In(32),
                "host_locked": In(1),
            }
        )

    @property
    def addr_bits(self) -> int:
        """Width of the host's word address."""
        return self._addr_bits

    def _write_answer(self, m: Module, address: Value, reaches: Signal) -> Signal:
        """What a whole write of `address` is answered; `reaches`: whether the host sees it."""
        answer = Signal(2)
        m.d.comb += [answer.eq(OKAY), reaches.eq(1)]
        if self._space is not None:
            with m.If(~self._space.exists(address)):
                m.d.comb += [answer.eq(DECODE_ERROR), reaches.eq(0)]
            with m.Elif(~self._space.writable(address)):
                m.d.comb += [answer.eq(SLAVE_ERROR), reaches.eq(0)]
            with m.Elif(self.host_locked & ~self._space.free(address)):
                m.d.comb += answer.eq(SLAVE_ERROR)
        return answer

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        write = Signal()
        read = Signal()
        write_address = Signal(self._addr_bits)
        read_address = Signal(self._addr_bits)
        write_strobe = Signal(4)
        write_data = Signal(32)

        aw_waits, aw = _skid(
            m,
            name="aw",
            valid=self.awvalid,
            ready=self.awready,
            payload=self.awaddr[2:],
            take=write,
        )
        w_waits, w = _skid(
            m,
            name="w",
            valid=self.wvalid,
            ready=self.wready,
            payload=Cat(self.wdata, self.wstrb),
            take=write,
        )
        ar_waits, ar = _skid(
            m, name="ar", valid=self.arvalid, ready=self.arready, payload=self.araddr[2:], take=read
        )
        m.d.comb += [
            write_address.eq(aw),
            read_address.eq(ar),
            Cat(write_data, write_strobe).eq(w),
        ]

        # A read occupies the host address for one cycle, its data register and R until taken.
        reading = Signal()
        fetched = Signal()
        wrote_last = Signal()
        write_possible = Signal()
        read_possible = Signal()
        m.d.comb += [
            write_possible.eq(aw_waits & w_waits & (~self.bvalid | self.bready)),
            read_possible.eq(ar_waits & ~reading & ~fetched & (~self.rvalid | self.rready)),
            write.eq(write_possible & ~(read_possible & wrote_last)),
            read.eq(read_possible & ~write),
        ]
        with m.If(write | read):
            m.d.sync += [
                wrote_last.eq(write),
                self.host_addr.eq(Mux(write, write_address, read_address)),
            ]

        whole, none, reaches = write_strobe.all(), ~write_strobe.any(), Signal()
        answer = self._write_answer(m, write_address, reaches)
        m.d.sync += self.host_w_en.eq(write & whole & reaches)
        with m.If(write):
            m.d.sync += [
                self.host_w_data.eq(write_data),
                self.bvalid.eq(1),
                self.bresp.eq(Mux(whole | (answer == DECODE_ERROR), answer, Mux(none, OKAY, SLAVE_ERROR))),
            ]
        with m.Elif(self.bready):
            m.d.sync += self.bvalid.eq(0)

        read_answer = Signal(2)
        m.d.sync += [reading.eq(read), fetched.eq(reading)]
        if self._space is not None:
            exists, readable = self._space.exists(read_address), self._space.readable(read_address)
            with m.If(read):
                m.d.sync += read_answer.eq(Mux(readable, OKAY, Mux(exists, SLAVE_ERROR, DECODE_ERROR)))
        with m.If(fetched):
            m.d.sync += [
                self.rvalid.eq(1),
                self.rdata.eq(Mux(read_answer == OKAY, self.host_r_data, 0)),
                self.rresp.eq(read_answer),
            ]
        with m.Elif(self.rready):
            m.d.sync += self.rvalid.eq(0)
        return m


class AxiTop(wiring.Component):
    """An engine with AXI ports, the module that :mod:`dorefa.hw.verilog.export` exports.

    `engine` has the streams `i` (payload `data`, `keep`, `last`) and `o` (payload `data`, `last`, `error`,
    and `keep` where a beat has several results) and the bus `host`; it becomes the submodule ``core``.
    `space` as in :class:`AxiLiteBridge`.

    Ports, beside `clk` and `rst` (synchronous, active high): ``s_axis_*`` (image bytes), ``m_axis_*``
    (results), ``s_axil_*`` (control and memories) and, where the engine has them, ``s_axis_weights_*``,
    ``s_axis_trunks_*`` and ``m_axis_trunks_*`` (whole beats, so without ``tkeep``), and ``irq``. ``tkeep``
    exists where TDATA is wider than a byte. ``m_axis_tuser`` is high with a beat that ends a packet because
    of an error: such a beat keeps no byte. ``tid`` of weights is the pass that they belong to, where the
    engine looks at it; that of trunks says the image, too, and comes back as it left. Connect ports by name:
    their order in the Verilog is not specified.
    """

    def __init__(self, engine: Engine, *, space: AddressSpace | None = None) -> None:
        self._engine = engine
        self._bridge = AxiLiteBridge(addr_bits=len(engine.host.addr), space=space)
        ports: dict[str, Any] = {"irq": Out(1)} if engine.config.guarded else {}
        for name, stream in self._streams().items():
            towards, back = (In, Out) if name.startswith("s") else (Out, In)
            width = len(stream.payload.data)
            ports[f"{name}_tdata"] = towards(width)
            if width > 8 and name in ("s_axis", "m_axis"):
                ports[f"{name}_tkeep"] = towards(width // 8)
            ports[f"{name}_tlast"] = towards(1)
            for field, port in _SIDEBANDS.items():
                if field in stream.payload.shape().members:
                    ports[f"{name}_{port}"] = towards(len(stream.payload[field]))
            ports[f"{name}_tvalid"] = towards(1)
            ports[f"{name}_tready"] = back(1)
        for name, member in self._bridge.signature.members.items():
            if not name.startswith("host_"):
                ports[f"s_axil_{name}"] = member
        super().__init__(ports)

    def _streams(self) -> dict[str, Any]:
        """The engine's streams by the names of their ports."""
        names = {
            "s_axis": "i",
            "m_axis": "o",
            "s_axis_weights": "weights",
            "s_axis_trunks": "trunks_i",
            "m_axis_trunks": "trunks_o",
        }
        engine = self._engine
        return {name: getattr(engine, own) for name, own in names.items() if hasattr(engine, own)}

    @property
    def engine(self) -> Engine:
        """The engine inside."""
        return self._engine

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = engine = self._engine
        m.submodules.host_bridge = bridge = self._bridge
        m.d.comb += [
            engine.host.addr.eq(bridge.host_addr),
            engine.host.w_data.eq(bridge.host_w_data),
            engine.host.w_en.eq(bridge.host_w_en),
            bridge.host_r_data.eq(engine.host.r_data),
            engine.i.payload.keep.eq(getattr(self, "s_axis_tkeep", 1)),
        ]
        for name, stream in self._streams().items():
            data, last, valid, ready = (
                getattr(self, f"{name}_t{part}") for part in ("data", "last", "valid", "ready")
            )
            pairs = [(stream.payload.data, data), (stream.payload.last, last), (stream.valid, valid)]
            pairs += [
                (stream.payload[field], getattr(self, f"{name}_{port}"))
                for field, port in _SIDEBANDS.items()
                if field in stream.payload.shape().members
            ]
            if name.startswith("s"):
                m.d.comb += [inner.eq(outer) for inner, outer in pairs] + [ready.eq(stream.ready)]
            else:
                m.d.comb += [outer.eq(inner) for inner, outer in pairs] + [stream.ready.eq(ready)]
        results = engine.o.payload
        m.d.comb += self.m_axis_tkeep.eq(
            getattr(results, "keep", ~results.error.replicate(len(self.m_axis_tkeep)))
        )
        if engine.config.guarded:
            m.d.comb += [self.irq.eq(engine.interrupt), bridge.host_locked.eq(engine.host.locked)]
        for name, member in bridge.signature.members.items():
            if not name.startswith("host_"):
                inner, outer = getattr(bridge, name), getattr(self, f"s_axil_{name}")
                m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        return m
