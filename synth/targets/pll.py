"""Phase-locked loops (PLL): the settings that a family's cell has, and the cell itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from amaranth import Module, Signal, Value
from amaranth.build.plat import TemplatedPlatform
from amaranth.lib import io

from dorefa.golden.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: output rate in Hz, and the parameters of the family's cell."""

    rate: float
    parameters: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class ClockNets:
    """What a loop is connected to: the oscillator's `pin` (an IO port) and its rate in Hz, the `clock` that
    it makes and whether that is stable."""

    pin: io.SingleEndedPort | io.DifferentialPort
    oscillator: float
    clock: Signal
    locked: Signal

    def buffered_pin(self, m: Module) -> Value:
        """The oscillator behind an input buffer, which is added to `m`."""
        m.submodules.pin = buffer = io.Buffer("i", self.pin)
        return buffer.i


@dataclass(frozen=True, kw_only=True)
class Pll:
    """The loop of one family.

    `settings(oscillator)` are all settings for an oscillator's rate in Hz; `connect(m, platform, nets,
    setting)` adds the cell to `m`.
    """

    settings: Callable[[float], Iterable[Setting]]
    connect: Callable[[Module, TemplatedPlatform, ClockNets, Setting], None]

    def best(self, oscillator: float, wanted: float) -> Setting:
        """The setting with the highest rate up to `wanted` (Hz); :class:`InputError` for one that is out of
        reach."""
        candidates = list(self.settings(oscillator))
        rates = [setting.rate for setting in candidates]
        least, most = min(rates, default=0), max(rates, default=0)
        if not least <= wanted <= most:
            raise InputError(
                f"clock is {wanted / 1e6:g} MHz; accepted with the PLL: "
                f"{least / 1e6:.3f} to {most / 1e6:.3f} MHz"
            )
        return max(
            (setting for setting in candidates if setting.rate <= wanted), key=lambda setting: setting.rate
        )
