"""The byte protocol of a board: an engine's image port, result port and host bus over a serial line.

The host sends commands, the board answers; numbers are little endian.

=====  =============================  ==========================================================
byte   then                           answer
=====  =============================  ==========================================================
``W``  word address (4), word (4)     none; writes a register or a memory of the host map
``R``  word address (4)               the word (4)
``I``  length (4), that many bytes    one packet of the image port: what it is answered with,
                                      as an image the last layer's accumulators once it is computed,
                                      each of as many bytes as the board's words say
=====  =============================  ==========================================================

Addresses from 0x80000000 on are the board's own words (:data:`.registers.BOARD_REGISTERS`). The board holds
no image back, so the host waits for the results of one before it sends the next command. A break on the
line, or any stop bit that is low, ends the command that is under way and drops its image.
"""

from __future__ import annotations

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..interface.register import WORD_BITS, Register
from ..interface.registers import BOARD_BITS, BOARD_SPACE
from .uart import UartReceiver, UartTransmitter

WRITE, READ, IMAGE = b"W"[0], b"R"[0], b"I"[0]

# The address bit that marks the board's own words.
_BOARD_BIT = BOARD_SPACE.bit_length() - 1


class _State(enum.Enum, shape=3):  # type: ignore[call-arg]  # to mypy the base is Any, without arguments
    """What the next byte belongs to."""

    COMMAND = 0
    WRITE = 1
    READ = 2
    LENGTH = 3
    IMAGE = 4


def connect_line(m: Module, host: SerialHost, divisor: int, rx: Value, tx: Value) -> None:
    """Makes a receiver and a transmitter of `divisor` cycles a bit between the line and `host`."""
    m.submodules.receiver = receiver = UartReceiver(divisor)
    m.submodules.transmitter = transmitter = UartTransmitter(divisor)
    wiring.connect(m, host.o, transmitter.i)
    m.d.comb += [
        receiver.rx.eq(rx),
        host.data.eq(receiver.data),
        host.valid.eq(receiver.valid),
        host.broken.eq(receiver.broken),
        tx.eq(transmitter.tx),
    ]


class SerialHost(wiring.Component):
    """Commands from received bytes to an engine or a pipeline, its answers to bytes.

    `registers`: the board's own words, as of :func:`.registers.board_registers`; `image`: a beat of the image
    port (`data`, of whole bytes, `keep`, a bit for each, `last`), which where it is wider than a byte leaves
    with its last byte, or with the packet's; `result`: a beat of results (`data` of whole bytes, and `keep`
    where not all of them count); `host`: the bus of the registers, as of :func:`.host_bus.bus_signature`.

    Ports: `data`, `valid`, `broken` of a :class:`.UartReceiver`; `o`, stream of bytes to a transmitter;
    `image`, `result`, `host`, to the other side's; `receiving`, while an image comes in; `errors`, the fields
    of the word of that name.
    """

    def __init__(
        self,
        registers: dict[str, Register],
        *,
        image: data.StructLayout,
        result: data.StructLayout,
        host: wiring.Signature,
    ) -> None:
        self._registers = registers
        self._image_bytes = image["keep"].width
        self._result_bytes = result["data"].width // 8
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "broken": In(1),
                "o": Out(stream.Signature(8)),
                "image": Out(stream.Signature(image)),
                "result": In(stream.Signature(result)),
                "host": Out(host),
                "receiving": Out(1),
                "errors": Out(len(registers["errors"].fields)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        answered, answer = Signal(), Signal(32)
        address = self._commands(m, answered)
        own = self._own_word(m, address)
        m.d.comb += answer.eq(Mux(address[_BOARD_BIT], own, self.host.r_data))
        self._answers(m, answered, answer)
        return m

    def _commands(self, m: Module, answered: Signal) -> Value:
        """Received bytes to the ports. Returns the address that was read, while `answered`."""
        # The last eight bytes, the one that comes included: an address and a word, or an address alone.
        fields = Signal(56)
        latest = Cat(fields, self.data)
        first, second = latest[:32], latest[32:]
        left = Signal(32)
        errors = self._registers["errors"]
        problem = {field.name: Signal(name=f"problem_{field.name}") for field in errors.fields}
        state = Signal(_State)
        last = self.valid & (left == 1)
        with m.If(self.valid):
            m.d.sync += [fields.eq(latest[8:]), left.eq(left - 1)]
        kept = Signal.like(self.errors)
        m.d.sync += self.errors.eq(kept | Cat(problem.values()))
        m.d.comb += [
            kept.eq(self.errors),
            problem["framing"].eq(self.broken),
            self.host.addr.eq(Mux(state == _State.READ, second, first)),
            self.host.w_data.eq(second),
            self.host.w_en.eq(last & (state == _State.WRITE) & ~first[_BOARD_BIT]),
        ]
        with m.If(last & (state == _State.WRITE) & (first == errors.address)):
            m.d.comb += kept.eq(self.errors & ~Cat(field.of(second) for field in errors.fields))

        with m.Switch(state):
            with m.Case(_State.COMMAND):
                with m.If(self.valid):
                    m.d.sync += left.eq(Mux(self.data == WRITE, 8, 4))
                    with m.Switch(self.data):
                        for command, following in (
                            (WRITE, _State.WRITE),
                            (READ, _State.READ),
                            (IMAGE, _State.LENGTH),
                        ):
                            with m.Case(command):
                                m.d.sync += state.eq(following)
                        with m.Default():
                            m.d.comb += problem["unknown"].eq(1)
            with m.Case(_State.LENGTH):
                with m.If(last):
                    m.d.sync += left.eq(second)
                    m.d.comb += problem["unknown"].eq(second == 0)
            with m.Case(_State.IMAGE):
                complete, data, keep = self._beat(m, left == 1)
                m.d.comb += [
                    self.receiving.eq(1),
                    # A packet cut short ends without a byte, and is dropped behind the port.
                    self.image.valid.eq(complete | self.broken),
                    self.image.payload.data.eq(data),
                    self.image.payload.keep.eq(keep),
                    self.image.payload.last.eq((left == 1) | self.broken),
                    problem["overrun"].eq(complete & ~self.image.ready),
                ]
        with m.If(last & (state != _State.COMMAND)):
            empty = (state != _State.LENGTH) | (second == 0)
            m.d.sync += state.eq(Mux(empty, _State.COMMAND, _State.IMAGE))
        with m.If(self.broken):
            m.d.sync += state.eq(_State.COMMAND)

        # The bus answers a cycle after the address, which `fields` then ends with.
        m.d.sync += answered.eq(last & (state == _State.READ))
        return fields[-32:]

    def _beat(self, m: Module, last: Value) -> tuple[Value, Value, Value]:
        """Bytes of a packet, one after another, as the image port's beats: whether the one that comes
        completes a beat, as the `last` one does, the beat's data, and which of its bytes there are."""
        size = self._image_bytes
        if size == 1:
            return self.valid, self.data, self.valid
        earlier = Signal(8 * (size - 1))
        place = Signal(range(size))
        full = last | (place == size - 1)
        with m.If(self.valid):
            m.d.sync += [earlier.word_select(place, 8).eq(self.data), place.eq(Mux(full, 0, place + 1))]
        with m.Elif(self.broken):
            m.d.sync += place.eq(0)
        before = (earlier.word_select(number, 8) for number in range(size - 1))
        data = [Mux(place == number, self.data, byte) for number, byte in enumerate(before)]
        keep = Cat(self.valid & (place >= number) for number in range(size))
        return self.valid & full, Cat(data, self.data), keep

    def _own_word(self, m: Module, address: Value) -> Value:
        """The board's own word at `address`."""
        own = Signal(32)
        seen = {field.name: self.errors[bit] for bit, field in enumerate(self._registers["errors"].fields)}
        with m.Switch(address[:BOARD_BITS]):
            for register in self._registers.values():
                with m.Case(register.address - BOARD_SPACE):
                    m.d.comb += own.eq(register.reset_word if register.constant else register.join(seen))
        return own

    def _answers(self, m: Module, answered: Signal, answer: Signal) -> None:
        """Words that were read, and results, as bytes."""
        size = self._result_bytes
        rest = Signal(max(8 * size, WORD_BITS))
        count = Signal(range(max(size, WORD_BITS // 8) + 1))
        m.d.comb += [
            self.o.valid.eq(count != 0),
            self.o.payload.eq(rest[:8]),
            self.result.ready.eq((count == 0) & ~answered),
        ]
        with m.If(answered):
            m.d.sync += [rest.eq(answer), count.eq(4)]
        with m.Elif(self.result.ready & self.result.valid):
            kept = getattr(self.result.payload, "keep", None)
            m.d.sync += rest.eq(self.result.payload.data)
            m.d.sync += count.eq(size if kept is None else sum(kept))
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [rest.eq(rest >> 8), count.eq(count - 1)]
