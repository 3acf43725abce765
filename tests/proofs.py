"""Proofs with Yosys alone: of what holds for ever, by induction over the cycles, or in so many cycles; and
that two netlists are equal. What fails is named, with its cycle; covers show that a proof is not vacuous."""

import re
import sys
from types import SimpleNamespace

from amaranth import Cat, ClockDomain, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.hw.verilog import passes, rtlil
from dorefa.hw.verilog.convert import convert
from dorefa.hw.verilog.export import run_yosys

# Cycles in which counterexamples and covers are looked for.
WITHIN = 40
_BEGUN = "bench_begun"


class Refuted(AssertionError):
    """There is a counterexample."""


class Undecided(AssertionError):
    """Neither is there an induction of this depth nor a counterexample of so many cycles."""


class Unreached(AssertionError):
    """No run reaches a cover: what was proved may be about nothing."""


class Bench:
    """Components under free inputs, and what is to hold of them.

    Every input may be anything in any cycle, but those in `driven` (``"dut.valid"``), which statements in `m`
    drive. The first cycle is one of reset, and any later one may be (`reset`); there nothing is assumed and
    nothing has to hold. Memories, and registers without a reset, begin with anything, as after power-on.

    That the first cycle is one of reset is a register here: with ``-set-at 1 rst 1`` ``sat -tempinduct``
    would take every window of the induction for one that begins with a reset, and prove what is wrong.
    """

    def __init__(self, *, driven=(), **components):
        self.m, self.ports, self.words = Module(), {}, {}
        self.properties, self.assumptions, self.covers = {}, [], {}
        self.reset, begun = self.free("reset", 1), Signal(name=_BEGUN, reset_less=True)
        self.in_reset = ~begun | self.reset
        self.m.domains.sync = domain = ClockDomain("sync")
        self.ports["clk"] = domain.clk
        self.m.d.comb += domain.rst.eq(self.in_reset)
        self.m.d.sync += begun.eq(1)
        self.__dict__ |= components
        for name, component in components.items():
            self.m.submodules[name] = component
            for path, member, value in component.signature.flatten(component):
                parts = [".".join(map(str, (name, *path[:length]))) for length in range(1, len(path) + 1)]
                if member.flow == In and not set(parts) & set(driven):
                    self.ports["__".join(map(str, (name, *path)))] = Value.cast(value)

    def free(self, name, shape):
        """A signal that may be anything in any cycle."""
        signal = Signal(shape, name=name)
        self.ports[name] = Value.cast(signal)
        return signal

    def constant(self, name, shape):
        """A signal that may be anything and never changes."""
        signal = Signal(shape, name=name, reset_less=True)
        self.m.d.sync += signal.eq(signal)
        return signal

    def word(self, memory, number, width):
        """A word of the memory at an instance path (``"dut.queue.storage"``), which no port shows."""
        signal = self.free(f"word_{len(self.words)}", width)
        self.words[signal.name] = f"{memory}[{number}]"
        return signal

    def past(self, value):
        """`value` in the cycle before, 0 behind a reset."""
        value = Value.cast(value)
        later = Signal.like(value, name="past", init=0)
        self.m.d.sync += later.eq(value)
        return later

    def after_reset(self):
        """Whether the cycle before was one of reset."""
        was = Signal(name="was_reset", reset_less=True)
        self.m.d.sync += was.eq(self.in_reset)
        return was

    def assume(self, *conditions):
        """Only runs in which all `conditions` hold in every cycle are looked at."""
        self.assumptions += conditions

    def always(self, name, condition):
        """`condition` has to hold in every cycle."""
        assert name not in self.properties, name
        self.properties[name] = condition

    def cover(self, name, condition):
        """Some run has to come to a cycle with `condition`."""
        self.covers[name] = condition

    def modules(self):
        """The modules of the bench, first the top one; its outputs `holds` and `reached` have one bit for
        each property and each cover."""
        m, off = self.m, self.in_reset
        outputs = {
            "assumed": Cat(Value.cast(condition).bool() for condition in self.assumptions).all() | off,
            "holds": Cat(Value.cast(condition).bool() | off for condition in self.properties.values()),
            "reached": Cat(Value.cast(condition).bool() & ~off for condition in self.covers.values()),
        }
        values = {name: Signal(max(1, len(value)), name=name) for name, value in outputs.items()}
        m.d.comb += [values[name].eq(value) for name, value in outputs.items()]
        top = _Top(m, self.ports, values)
        modules = convert(top, name="bench")
        begun = next(wire for wire in modules[0].wires if wire.name == f"\\{_BEGUN}")
        kept = [*begun.attributes]
        passes.drop_register_values(modules)
        begun.attributes = kept
        return modules


class _Top(wiring.Component):
    """The module `m` with these ports."""

    def __init__(self, m, inputs, outputs):
        self._m = m
        super().__init__(
            {name: In(len(value)) for name, value in inputs.items()}
            | {name: Out(len(value)) for name, value in outputs.items()}
        )
        self.__dict__ |= inputs | outputs

    def elaborate(self, platform):
        return self._m


def inner(component):
    """The variables of a component's `elaborate`, and of its methods that this calls, as attributes of an
    object: for what an induction has to know and no port shows."""
    found, before = {}, sys.getprofile()

    def look(frame, event, _):
        if event == "return" and frame.f_locals.get("self") is component:
            found.update(frame.f_locals)

    sys.setprofile(look)
    try:
        m = component.elaborate(None)
    finally:
        sys.setprofile(before)
    component.elaborate = lambda platform: m
    return SimpleNamespace(**found)


def prove(bench, folder, *, depth=1, cycles=None, within=WITHIN):
    """Proves the properties of `bench` for ever, by induction over up to `depth` cycles, or in the first
    `cycles` alone; finds runs of up to `within` cycles to its covers, and returns their lengths by name.

    Raises :class:`Refuted`, :class:`Undecided` or :class:`Unreached`, with names. Logs and waveforms are left
    in `folder`.
    """
    for log in folder.glob("*.txt"):
        log.unlink()
    (folder / "bench.il").write_text(rtlil.write(bench.modules()))
    ones = "1" * len(bench.properties)
    goal = f"-prove holds {len(ones)}'b{ones}"
    search = _sat("search", f"-tempinduct-baseonly -maxsteps {cycles or within} {goal}")
    covers = {name: f"reached_{number}" for number, name in enumerate(bench.covers)}
    script = [
        *_FLAT,
        *(f"connect -set \\{to} \\{word}" for to, word in bench.words.items()),
        "write_rtlil flat.il",
    ]
    if ones:
        script.append(_sat("induction", f"-maxsteps {depth} {goal}") if cycles is None else search)
    for number, log in enumerate(covers.values()):
        place = f"reached[{number}]" if len(covers) > 1 else "reached"
        script.append(_sat(log, f"-tempinduct-baseonly -maxsteps {cycles or within} -prove {place} 0"))
    run_yosys(folder, script)
    said = {path.stem: path.read_text() for path in folder.glob("*.txt")}
    if "induction" in said and _INDUCTIVE not in said["induction"]:
        run_yosys(folder, ["read_rtlil flat.il", search])
        said["search"] = (folder / "search.txt").read_text()
        if _FOUND not in said["search"]:
            raise Undecided(
                f"{_failing(said['induction'], bench)}: no induction over {depth} cycles, no counterexample "
                f"of {within}; log: {folder / 'induction.txt'}"
            )
    if _FOUND in said.get("search", ""):
        raise Refuted(f"{_failing(said['search'], bench)}: cycle {_length(said['search'])}; see {folder}")
    for name, log in covers.items():
        if _FOUND not in said[log]:
            raise Unreached(f"{name}: no run of {cycles or within} cycles")
    return {name: _length(said[log]) for name, log in covers.items()}


# Commands that make one flat module of a bench, its memories words in registers.
_FLAT = (
    "read_rtlil bench.il",
    "hierarchy -check -top bench",
    "proc",
    "flatten",
    "memory_collect",
    "memory_map",
)


def _sat(name, options):
    """The command that asks for a proof over the cycles; what it says is kept under `name`."""
    return f"tee -q -o {name}.txt sat -show-ports -set assumed 1 -dump_vcd {name}.vcd -tempinduct {options}"


_INDUCTIVE = "Induction step proven: SUCCESS!"
_FOUND = "model found for base case: FAIL!"


def _length(said):
    """Cycles of the last run that was looked at."""
    return int(re.findall(r"Trying induction with length (\d+)", said)[-1])


def _failing(said, bench):
    """Names of the properties that do not hold in the last cycle of the last run that was found."""
    bits = re.findall(r"^ +\d+ \\holds +\S+ +\S+ +([01]+)$", said, re.MULTILINE)[-1]
    return ", ".join(name for name, bit in zip(bench.properties, reversed(bits), strict=True) if bit == "0")


def prove_equal(folder, first, second, *, settles=None):
    """Proves that two designs, each the commands that leave it as one flat module, are equal: in the same
    cycle, if they are combinational; otherwise for ever behind `settles` cycles, their registers X at first.
    Raises :class:`Refuted`."""
    script = []
    for name, commands in (("first", first), ("second", second)):
        script += ["design -reset", *commands, "rename -top " + name, f"design -stash {name}"]
    induction = "" if settles is None else f"-tempinduct -seq {settles} -set-init-undef"
    run_yosys(
        folder,
        [
            *script,
            "design -copy-from first first",
            "design -copy-from second second",
            "miter -equiv -flatten first second miter",
            "hierarchy -top miter",
            f"tee -q -o equal.txt sat {induction} -prove trigger 0 miter",
        ],
    )
    said = (folder / "equal.txt").read_text()
    if "SUCCESS!" not in said:
        raise Refuted(f"the designs differ; log: {folder / 'equal.txt'}")
