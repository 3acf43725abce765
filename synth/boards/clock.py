"""The engine's clock on a board: the phase-locked loop (PLL) of its family, and the reset after it."""

from __future__ import annotations

from amaranth import ClockDomain, ClockSignal, Elaboratable, Module, ResetSignal, Signal
from amaranth.build.plat import TemplatedPlatform

from ..targets.pll import ClockNets, Pll, Setting

# Block RAM of iCE40 reads as zeros for about 3 us after configuration; five times that.
_RESET_SECONDS = 15e-6


class Clock(Elaboratable):
    """Drives the `sync` domain, which its parent defines, of a board: at `wanted` Hz, or the next rate below
    that its PLL makes.

    `pll`: that of the board's family; `oscillator`: (clock resource, its rate in Hz). `rate` is the one
    that results, `setting` the loop's that makes it, None where the oscillator's is wanted. The
    domain is in reset for the first 15 us of a stable clock.
    """

    def __init__(self, pll: Pll, oscillator: tuple[str, float], wanted: float) -> None:
        self._pll = pll
        self._resource, self._oscillator = oscillator
        self.setting: Setting | None = None
        if wanted != self._oscillator:
            self.setting = pll.best(self._oscillator, wanted)
        self.rate = self.setting.rate if self.setting else self._oscillator

    def elaborate(self, platform: TemplatedPlatform) -> Module:
        m = Module()
        clock, locked = Signal(name="pll_clock"), Signal(name="pll_locked")
        nets = ClockNets(
            pin=platform.request(self._resource, dir="-"),
            oscillator=self._oscillator,
            clock=clock,
            locked=locked,
        )
        m.domains += ClockDomain("start", reset_less=True, local=True)
        m.d.comb += [ClockSignal("sync").eq(clock), ClockSignal("start").eq(clock)]
        if self.setting is None:
            m.d.comb += [clock.eq(nets.buffered_pin(m)), locked.eq(1)]
        else:
            self._pll.connect(m, platform, nets, self.setting)
            platform.add_clock_constraint(clock, self.rate)
        end = int(_RESET_SECONDS * self.rate) + 1
        wait, reset = Signal(range(end + 1)), Signal(init=1)
        m.d.comb += ResetSignal("sync").eq(reset)
        m.d.start += reset.eq(wait != end)
        with m.If(~locked):
            m.d.start += wait.eq(0)
        with m.Elif(wait != end):
            m.d.start += wait.eq(wait + 1)
        return m
