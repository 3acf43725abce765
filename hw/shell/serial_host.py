"""The byte protocol of a board: an engine's image port, result port and host bus over a serial line.

The host sends commands, the board answers; numbers are little endian.

=====  =============================  ==========================================================
byte   then                           answer
=====  =============================  ==========================================================
``W``  word address (4), word (4)     none; writes a register or a memory of the engine's host map
``R``  word address (4)               the word (4)
``I``  length (4), that many bytes    one image; the last layer's accumulators once it is computed,
                                      each as wide as the engine's results (4 or 8 bytes)
=====  =============================  ==========================================================

Addresses from 0x80000000 on are the board's own words (:data:`BOARD_WORDS`). The board holds no image
back, so the host waits for the results of one before it sends the next command. A break on the line, or
any stop bit that is low, ends the command that is under way and drops its image.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import enum, stream, wiring
from amaranth.lib.wiring import In, Out

from ..interface.host_bus import host_signature
from ..interface.streams import image_layout, result_layout

WRITE, READ, IMAGE = b"W"[0], b"R"[0], b"I"[0]
BOARD_SPACE = 1 << 31

# name: (word address, meaning)
BOARD_WORDS = {
    "identity": (BOARD_SPACE, "0x42524F44"),
    "shape": (BOARD_SPACE + 1, "bits 15-0 height, 31-16 width of the image"),
    "results": (BOARD_SPACE + 2, "bits 7-0 channels of the image, 15-8 bytes of a result, 31-16 results"),
    "errors": (
        BOARD_SPACE + 3,
        "bit 0: a break or a low stop bit; bit 1: an image byte came while the "
        "engine was busy; bit 2: unknown command or empty image (any write clears)",
    ),
}
BOARD_IDENTITY = 0x42524F44  # "DORB"


class _State(enum.Enum, shape=3):
    """What the next byte belongs to."""

    COMMAND = 0
    WRITE = 1
    READ = 2
    LENGTH = 3
    IMAGE = 4


class SerialHost(wiring.Component):
    """Commands from received bytes to an engine, its answers to bytes.

    `shape`: (H, W, C) of the network's image; `classes`: results per image. Only for engines whose image
    port is one byte wide.

    Ports: `data`, `valid`, `broken` of a :class:`.UartReceiver`; `o`, stream of bytes to a transmitter;
    `image`, `result`, `host`, to an engine's `i`, `o` and `host`; `receiving`, while an image comes in;
    `errors`, the bits of the word of that name.
    """

    def __init__(self, config, *, shape, classes):
        self._config = config
        height, width, channels = shape
        self._words = {
            "identity": BOARD_IDENTITY,
            "shape": height | width << 16,
            "results": channels | config.result_bits // 8 << 8 | classes << 16,
        }
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "broken": In(1),
                "o": Out(stream.Signature(8)),
                "image": Out(stream.Signature(image_layout(config))),
                "result": In(stream.Signature(result_layout(config))),
                "host": Out(host_signature(config)),
                "receiving": Out(1),
                "errors": Out(3),
            }
        )

    def elaborate(self, platform):
        m = Module()
        answered, answer = Signal(), Signal(32)
        self._commands(m, answered, answer)
        self._answers(m, answered, answer)
        return m

    def _commands(self, m, answered, answer):
        """Received bytes to the engine; `answer` holds a word that was read while `answered`."""
        # The last eight bytes with the one that comes: an address and a word, or an address alone.
        fields = Signal(56)
        latest = Cat(fields, self.data)
        first, second = latest[:32], latest[32:]
        left = Signal(32)
        problem = Signal(3)
        state = Signal(_State)
        last = self.valid & (left == 1)
        with m.If(self.valid):
            m.d.sync += [fields.eq(latest[8:]), left.eq(left - 1)]
        m.d.sync += self.errors.eq(self.errors | problem)
        m.d.comb += [
            problem[0].eq(self.broken),
            self.host.addr.eq(Mux(state == _State.READ, second, first)),
            self.host.w_data.eq(second),
            self.host.w_en.eq(last & (state == _State.WRITE) & ~first[31]),
        ]
        with m.If(last & (state == _State.WRITE) & (first == BOARD_WORDS["errors"][0])):
            m.d.sync += self.errors.eq(0)

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
                            m.d.comb += problem[2].eq(1)
            with m.Case(_State.LENGTH):
                with m.If(last):
                    m.d.sync += left.eq(second)
                    m.d.comb += problem[2].eq(second == 0)
            with m.Case(_State.IMAGE):
                m.d.comb += [
                    self.receiving.eq(1),
                    # A packet cut short ends without a byte, and the engine drops it.
                    self.image.valid.eq(self.valid | self.broken),
                    self.image.payload.data.eq(self.data),
                    self.image.payload.keep.eq(self.valid),
                    self.image.payload.last.eq((left == 1) | self.broken),
                    problem[1].eq(self.valid & ~self.image.ready),
                ]
        with m.If(last & (state != _State.COMMAND)):
            empty = (state != _State.LENGTH) | (second == 0)
            m.d.sync += state.eq(Mux(empty, _State.COMMAND, _State.IMAGE))
        with m.If(self.broken):
            m.d.sync += state.eq(_State.COMMAND)

        # The bus answers a cycle after the address, which `fields` then ends with.
        m.d.sync += answered.eq(last & (state == _State.READ))
        own = Signal(32)
        with m.Switch(fields[24:26]):
            for name, (place, _) in BOARD_WORDS.items():
                with m.Case(place & 3):
                    m.d.comb += own.eq(self._words.get(name, self.errors))
        m.d.comb += answer.eq(Mux(fields[55], own, self.host.r_data))

    def _answers(self, m, answered, answer):
        """Words that were read, and results, as bytes."""
        size = self._config.result_bits // 8
        rest = Signal(8 * size)
        count = Signal(range(size + 1))
        m.d.comb += [
            self.o.valid.eq(count != 0),
            self.o.payload.eq(rest[:8]),
            self.result.ready.eq((count == 0) & ~answered),
        ]
        with m.If(answered):
            m.d.sync += [rest.eq(answer), count.eq(4)]
        with m.Elif(self.result.ready & self.result.valid):
            m.d.sync += [rest.eq(self.result.payload.data), count.eq(size)]
        with m.Elif(self.o.valid & self.o.ready):
            m.d.sync += [rest.eq(rest >> 8), count.eq(count - 1)]
