"""A board in Amaranth's simulator behind the interface of a serial port, down to the pins."""

from __future__ import annotations

from collections import deque

from amaranth.hdl import Fragment
from amaranth.sim import Simulator, SimulatorContext

from dorefa.hw.shell.board_core import BoardCore
from dorefa.hw.shell.stream_board import StreamBoard
from dorefa.hw.shell.uart import FRAME_BITS

_BREAK_BITS = 3 * FRAME_BITS


class SimulatedPort:
    """A serial port whose other end is the pins of a simulated
    :class:`~dorefa.hw.shell.board_core.BoardCore` or
    :class:`~dorefa.hw.shell.stream_board.StreamBoard`.

    `core`: the component, or an elaborated fragment of it given beside it as `fragment`; `divisor`:
    clock cycles a bit of this side, which may differ a little from the board's; `timeout`: cycles for
    which :meth:`read` waits for a byte. Offers what :class:`~dorefa.hw.shell.driver.Board` needs of pyserial.
    """

    def __init__(
        self,
        core: BoardCore | StreamBoard,
        *,
        divisor: int,
        timeout: int,
        fragment: Fragment | None = None,
    ) -> None:
        self._core, self._divisor, self._timeout = core, divisor, timeout
        self._to_send: deque[list[int]] = deque()
        self._received = bytearray()
        self._idle = 0
        self._simulator = Simulator(core if fragment is None else fragment)
        self._simulator.add_clock(1e-6)
        self._simulator.add_testbench(self._send, background=True)
        self._simulator.add_testbench(self._receive, background=True)

    def write(self, data: bytes) -> None:
        """Queues bytes for the line; they pass while :meth:`read` waits."""
        for byte in data:
            self._to_send.append([0, *(byte >> bit & 1 for bit in range(8)), 1])

    def read(self, count: int) -> bytes:
        """`count` bytes, fewer where none came for `timeout` cycles after the last one was sent."""
        while len(self._received) < count and (self._to_send or self._idle < self._timeout):
            self._simulator.advance()
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def send_break(self) -> None:
        """Holds the line low for longer than a byte."""
        self._to_send.append([*[0] * _BREAK_BITS, 1])

    def reset_input_buffer(self) -> None:
        """Lets what was sent pass and drops what has come in."""
        while self._to_send or self._idle < 2 * FRAME_BITS * self._divisor:
            self._simulator.advance()
        self._received.clear()

    async def _send(self, ctx: SimulatorContext) -> None:
        ctx.set(self._core.rx, 1)
        while True:
            if not self._to_send:
                await ctx.tick()
                continue
            for bit in self._to_send[0]:
                ctx.set(self._core.rx, bit)
                for _ in range(self._divisor):
                    await ctx.tick()
            self._to_send.popleft()
            self._idle = 0

    async def _receive(self, ctx: SimulatorContext) -> None:
        while True:
            self._idle += 1
            _, _, line = await ctx.tick().sample(self._core.tx)
            if line:
                continue
            # The middle of the first data bit, counted from the start bit's first cycle.
            await self._wait(ctx, self._divisor + self._divisor // 2)
            byte = 0
            for bit in range(8):
                byte |= ctx.get(self._core.tx) << bit
                await self._wait(ctx, self._divisor)
            if not ctx.get(self._core.tx):
                raise AssertionError("stop bit of the board is low")
            self._received.append(byte)
            self._idle = 0

    async def _wait(self, ctx: SimulatorContext, cycles: int) -> None:
        for _ in range(cycles):
            await ctx.tick()
