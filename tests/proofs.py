"""Proofs with Yosys alone: of what holds for ever, by induction over the cycles, or in so many cycles; and
that two netlists are equal. What fails is named, with its cycle; covers show that a proof is not vacuous."""

import re
import sys
from types import SimpleNamespace

from amaranth import Cat, ClockDomain, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dorefa.hw.verilog import passes, rtlil
from dorefa.hw.verilog.convert import convert
from dorefa.hw.verilog.export import run_yosys

# Cycles in which counterexamples and covers are looked for.
WITHIN = 20
# Seconds of one question to the solver.
TIMEOUT = 100
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
    drive. The first cycle is one of reset, and with `resets` any later one may be (`reset`); there nothing is
    assumed and nothing has to hold. Memories, and registers without a reset, begin with anything, as after
    power-on.

    That the first cycle is one of reset is a register here: with ``-set-at 1 rst 1`` ``sat -tempinduct``
    would take every window of the induction for one that begins with a reset, and prove what is wrong.
    """

    def __init__(self, *, driven=(), resets=True, **components):
        self.m, self.ports, self.nets = Module(), {}, {}
        self.properties, self.lemmas, self.assumptions, self.covers = {}, {}, [], {}
        self.reset = self.free("reset", 1) if resets else Const(0)
        begun = Signal(name=_BEGUN, reset_less=True)
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

    def net(self, path, width=1):
        """The signal of this name in a component (``"dut.queue.level"``), or a word of a memory
        (``"dut.queue.storage[0]"``), which no port shows."""
        signal = self.free(f"net_{len(self.nets)}", width)
        self.nets[signal.name] = path
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

    def lemma(self, name, condition):
        """`condition` holds in every cycle, and is said only for the induction: it is proved too, but a
        counterexample is looked for that is one of a property."""
        assert name not in self.lemmas, name
        self.lemmas[name] = condition

    def cover(self, name, condition):
        """Some run has to come to a cycle with `condition`."""
        self.covers[name] = condition

    def modules(self):
        """The modules of the bench, first the top one; its outputs `holds`, `lemmas` and `reached` have one
        bit for each property, lemma and cover."""
        m, off = self.m, self.in_reset
        outputs = {
            "assumed": Cat(Value.cast(condition).bool() for condition in self.assumptions).all() | off,
            "holds": Cat(Value.cast(condition).bool() | off for condition in self.properties.values()),
            "lemmas": Cat(Value.cast(condition).bool() | off for condition in self.lemmas.values()),
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


def inner(component, *functions):
    """The variables of a component's `elaborate`, and of its methods and the `functions` that this calls, as
    attributes of an object: for what an induction has to know and no port shows. Variables of one name are
    those of the function that ended last; all of a function are in `inside`, by its name."""
    found, inside = {}, {}
    before, codes = sys.getprofile(), [function.__code__ for function in functions]

    def look(frame, event, _):
        own = frame.f_locals.get("self") is component or frame.f_code in codes
        if event == "return" and own:
            inside[frame.f_code.co_name] = dict(frame.f_locals)
            found.update(frame.f_locals)

    sys.setprofile(look)
    try:
        m = component.elaborate(None)
    finally:
        sys.setprofile(before)
    component.elaborate = lambda platform: m
    return SimpleNamespace(**found | {"inside": inside})


def prove(bench, folder, *, depth=1, cycles=None, within=WITHIN, also=()):
    """Proves the properties of `bench` for ever, by induction over up to `depth` cycles, or in the first
    `cycles` alone; finds runs of up to `within` cycles to its covers, and returns their lengths by name.

    `also`: more passes of Yosys before it.

    Raises :class:`Refuted`, :class:`Undecided` or :class:`Unreached`, with names. Logs and waveforms are left
    in `folder`.
    """
    for log in folder.glob("*.txt"):
        log.unlink()
    (folder / "bench.il").write_text(rtlil.write(bench.modules()))
    nets = (f"connect -set \\{signal} \\{path}" for signal, path in bench.nets.items())
    script = [*_FLAT, *nets, *_SMALLER, *also, "write_rtlil flat.il"]
    if cycles is None:
        script.append(_sat("induction", f"-maxsteps {depth} {_goal(bench.properties, bench.lemmas)}"))
    said = _said(folder, script).get("induction", "")
    if _INDUCTIVE not in said:
        _search(bench, folder, cycles or within)
        if cycles is None:
            raise Undecided(
                f"{_failing(said, bench)}: no induction over {depth} cycles, no counterexample of {within}; "
                f"log: {folder / 'induction.txt'}"
            )
    return _reached(bench, folder, cycles or within) if bench.covers else {}


def _reached(bench, folder, within):
    """Lengths of the shortest runs to the covers."""
    script = ["read_rtlil flat.il"]
    for number in range(len(bench.covers)):
        place = f"reached[{number}]" if len(bench.covers) > 1 else "reached"
        goal = f"-tempinduct-baseonly -maxsteps {within} -prove {place} 0"
        script.append(_sat(f"cover_{number}", goal))
    said, lengths = _said(folder, script), {}
    for number, name in enumerate(bench.covers):
        if _FOUND not in said[f"cover_{number}"]:
            raise Unreached(f"{name}: no run of {within} cycles")
        lengths[name] = _length(said[f"cover_{number}"])
    return lengths


def _search(bench, folder, within):
    """Raises :class:`Refuted` where there is a counterexample, of a lemma if none of a property."""
    for named in ((bench.properties, {}), ({}, bench.lemmas)):
        if any(named):
            command = _sat("search", f"-tempinduct-baseonly -maxsteps {within} {_goal(*named)}")
            said = _said(folder, ["read_rtlil flat.il", command])["search"]
            if _FOUND in said:
                raise Refuted(f"{_failing(said, bench)}: cycle {_length(said)}; see {folder}")


# Commands that make one flat module of a bench, its memories words in registers.
_FLAT = (
    "read_rtlil bench.il",
    "hierarchy -check -top bench",
    "proc",
    "flatten",
    "memory_collect",
    "memory_map",
)


# No pass that takes registers together or away: what one holds at first is a question of its own.
_SMALLER = ("opt_expr -full", "opt_muxtree", "opt_expr -full", "opt_clean")


def _goal(properties, lemmas):
    """What is to be proved, as options of ``sat``."""
    goals = (("holds", len(properties)), ("lemmas", len(lemmas)))
    return " ".join(f"-prove {output} {bits}'b{'1' * bits}" for output, bits in goals if bits)


def _sat(name, options):
    """The command that asks for a proof over the cycles; what it says is kept under `name`."""
    show = f"-show-ports -dump_vcd {name}.vcd -timeout {TIMEOUT}"
    return f"tee -q -o {name}.txt sat {show} -set assumed 1 -tempinduct {options}"


def _said(folder, script):
    """What Yosys said to the proofs of `script`, by name."""
    run_yosys(folder, script)
    return {path.stem: path.read_text() for path in folder.glob("*.txt")}


_INDUCTIVE = "Induction step proven: SUCCESS!"
_FOUND = "model found for base case: FAIL!"


def _length(said):
    """Cycles of the last run that was looked at."""
    return int(re.findall(r"Trying induction with length (\d+)", said)[-1])


def _failing(said, bench):
    """Names of what does not hold in the last cycle of the last run that was found."""
    failing = []
    for output, names in (("holds", bench.properties), ("lemmas", bench.lemmas)):
        *_, bits = "", *re.findall(rf"^ +\d+ \\{output} +\S+ +\S+ +([01]+)$", said, re.MULTILINE)
        failing += [name for name, bit in zip(names, reversed(bits), strict=False) if bit == "0"]
    return ", ".join(failing) or f"no answer in {TIMEOUT} seconds"


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
