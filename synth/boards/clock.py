"""The engine's clock on a board: the phase-locked loop (PLL) of each family, and the reset after it."""

from __future__ import annotations

from dataclasses import dataclass

from amaranth import ClockDomain, ClockSignal, Const, Elaboratable, Instance, Module, ResetSignal, Signal
from amaranth.lib import io

from dorefa.golden.errors import InputError

# Block RAM of iCE40 reads as zeros for about 3 us after configuration; five times that.
_RESET_SECONDS = 15e-6


@dataclass(frozen=True, kw_only=True)
class Pll:
    """A setting: output rate in Hz, and the parameters of the family's cell."""

    rate: float
    parameters: dict


def _best(candidates, wanted, what):
    """The candidate with the highest rate up to `wanted`, which lies between the least and the highest."""
    rates = [pll.rate for pll in candidates]
    least, most = min(rates, default=0), max(rates, default=0)
    if not least <= wanted <= most:
        raise InputError(
            f"clock is {wanted / 1e6:g} MHz; accepted with {what}: {least / 1e6:.3f} to {most / 1e6:.3f} MHz"
        )
    return max((pll for pll in candidates if pll.rate <= wanted), key=lambda pll: pll.rate)


def _ecp5(oscillator, wanted):
    """EHXPLLL, feedback from its output; its oscillator runs at 400 to 800 MHz, its comparison at 3.125
    MHz at least (data sheet FPGA-DS-02012)."""
    candidates = []
    for into in range(1, int(oscillator // 3.125e6) + 1):
        for back in range(1, 81):
            rate = oscillator / into * back
            for out in range(1, 129):
                if 400e6 <= rate * out <= 800e6:
                    parameters = {"CLKI_DIV": into, "CLKFB_DIV": back, "CLKOP_DIV": out}
                    candidates.append(Pll(rate=rate, parameters=parameters))
                    break
    return _best(candidates, wanted, "the PLL")


def _ice40(oscillator, wanted):
    """SB_PLL40, simple feedback; comparison 10 to 133 MHz, oscillator 533 to 1,066 MHz, output from 16 MHz
    (data sheet)."""
    candidates = []
    for reference in range(16):
        compared = oscillator / (reference + 1)
        for feedback in range(128):
            vco = compared * (feedback + 1)
            if not (10e6 <= compared <= 133e6 and 533e6 <= vco <= 1066e6):
                continue
            for out in range(1, 7):
                if (rate := vco / (1 << out)) >= 16e6:
                    parameters = {"DIVR": reference, "DIVF": feedback, "DIVQ": out}
                    candidates.append(Pll(rate=rate, parameters=parameters))
    return _best(candidates, wanted, "the PLL")


def _gowin(oscillator, wanted):
    """rPLL; comparison 3 to 400 MHz, oscillator 500 to 1,200 MHz, which suits GW1N and GW2A."""
    candidates = []
    for into in range(64):
        compared = oscillator / (into + 1)
        for back in range(64):
            rate = compared * (back + 1)
            for out in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128):
                if compared >= 3e6 and 500e6 <= rate * out <= 1200e6:
                    parameters = {"IDIV_SEL": into, "FBDIV_SEL": back, "ODIV_SEL": out}
                    candidates.append(Pll(rate=rate, parameters=parameters))
                    break
    return _best(candidates, wanted, "the PLL")


_SETTINGS = {"ecp5": _ecp5, "ice40": _ice40, "gowin": _gowin}


class Clock(Elaboratable):
    """Drives the `sync` domain, which its parent defines, of a board: at `wanted` Hz, or the next rate below
    that its PLL makes.

    `family`: one of ecp5, ice40, gowin; `oscillator`: (clock resource, its rate in Hz). `rate` is the one
    that results, `setting` the :class:`Pll` that makes it, None where the oscillator's is wanted. The
    domain is in reset for the first 15 us of a stable clock.
    """

    def __init__(self, family, oscillator, wanted):
        self._family = family
        self._resource, self._rate = oscillator
        self.setting = None if wanted == self._rate else _SETTINGS[family](self._rate, wanted)
        self.rate = self.setting.rate if self.setting else self._rate

    def elaborate(self, platform):
        m = Module()
        clock, locked = Signal(name="pll_clock"), Signal(name="pll_locked")
        pin = platform.request(self._resource, dir="-")
        m.domains += ClockDomain("start", reset_less=True, local=True)
        m.d.comb += [ClockSignal("sync").eq(clock), ClockSignal("start").eq(clock)]
        if self.setting is None:
            m.submodules.pin = buffer = io.Buffer("i", pin)
            m.d.comb += [clock.eq(buffer.i), locked.eq(1)]
        else:
            getattr(self, f"_{self._family}")(m, platform, pin, clock, locked)
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

    def _ecp5(self, m, platform, pin, clock, locked):
        m.submodules.pin = buffer = io.Buffer("i", pin)
        m.submodules.pll = Instance(
            "EHXPLLL",
            *self._parameters(),
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            i_CLKI=buffer.i,
            i_CLKFB=clock,
            o_CLKOP=clock,
            o_LOCK=locked,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=0,
            i_PHASESTEP=0,
            i_PHASELOADREG=0,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
        )

    def _ice40(self, m, platform, pin, clock, locked):
        if platform.device == "iCE40UP5K":
            # Its clock pin lies in the PLL's own pad, which then feeds nothing else.
            cell, reference = "SB_PLL40_PAD", ("io", "PACKAGEPIN", pin.io)
        else:
            m.submodules.pin = buffer = io.Buffer("i", pin)
            cell, reference = "SB_PLL40_CORE", ("i", "REFERENCECLK", buffer.i)
        compared = self._rate / (self.setting.parameters["DIVR"] + 1)
        # The loop filter follows the comparison's rate (technical note FPGA-TN-02052).
        limits = (17e6, 26e6, 44e6, 66e6, 101e6)
        m.submodules.pll = Instance(
            cell,
            reference,
            *self._parameters(bits={"DIVR": 4, "DIVF": 7, "DIVQ": 3}),
            p_FEEDBACK_PATH="SIMPLE",
            p_PLLOUT_SELECT="GENCLK",
            p_FILTER_RANGE=Const(1 + sum(compared >= limit for limit in limits), 3),
            i_RESETB=1,
            i_BYPASS=0,
            o_PLLOUTGLOBAL=clock,
            o_LOCK=locked,
        )

    def _gowin(self, m, platform, pin, clock, locked):
        m.submodules.pin = buffer = io.Buffer("i", pin)
        m.submodules.pll = Instance(
            "rPLL",
            *self._parameters(),
            p_FCLKIN=f"{self._rate / 1e6:g}",
            p_DEVICE=platform.family,
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_DYN_SDIV_SEL=2,
            p_DYN_DA_EN="false",
            p_PSDA_SEL="0000",
            p_DUTYDA_SEL="1000",
            p_CLKFB_SEL="internal",
            p_CLKOUT_BYPASS="false",
            p_CLKOUTP_BYPASS="false",
            p_CLKOUTD_BYPASS="false",
            p_CLKOUTD_SRC="CLKOUT",
            p_CLKOUTD3_SRC="CLKOUT",
            p_CLKOUT_FT_DIR=1,
            p_CLKOUTP_FT_DIR=1,
            p_CLKOUT_DLY_STEP=0,
            p_CLKOUTP_DLY_STEP=0,
            i_CLKIN=buffer.i,
            i_CLKFB=0,
            i_RESET=0,
            i_RESET_P=0,
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=clock,
            o_LOCK=locked,
        )

    def _parameters(self, bits=None):
        """The setting as arguments of an instance, numbers of the widths in `bits` where given."""
        return [
            ("p", name, Const(value, bits[name]) if bits else value)
            for name, value in self.setting.parameters.items()
        ]
