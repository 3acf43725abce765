"""The fault campaign: what it finds on engines as they are, and on engines that are broken."""

import pytest

from dorefa.hw.engine.array.weight_loader import WeightLoader
from dorefa.hw.engine.guard import Watchdog
from dorefa.hw.engine.host_port import HostPort
from dorefa.hw.engine.outlet import Outlet

from .fault import work
from .fault.campaign import RIGHT, TOLD, draw, kinds_of, run
from .fault.scenarios import KINDS, plain
from .fault.subjects import STREAMS, netlist_subject, subject


def problems(own, seeds):
    """The scenarios of these seeds: (kind, outcome), and what should not be."""
    outcomes, found = [], []
    with own.player(1) as player:
        for seed in seeds:
            kind, scenario = draw(own, seed)
            verdict = run(player, own, scenario)
            outcomes.append((kind, verdict.outcome))
            if problem := verdict.problem():
                found.append(f"{own.name}, seed {seed}, {kind} {scenario.note}: {problem}")
    return outcomes, found


@pytest.mark.parametrize("streams", STREAMS)
def test_a_sample_of_every_kind(streams, seed):
    """Nothing wrong without a mark or flag, no silence without a flag, nothing that needs `rst`."""
    own = subject(streams)
    kinds = kinds_of(own)
    first = 1_000 * seed * len(kinds)
    outcomes, found = problems(own, range(first, first + 2 * len(kinds)))
    assert not found, "\n".join(found)
    assert {kind for kind, _ in outcomes} == set(kinds)
    assert {outcome for _, outcome in outcomes} == {RIGHT, TOLD}


@pytest.mark.slow
@pytest.mark.sample
def test_a_sample_on_a_netlist(seed):
    own = netlist_subject()
    first = 1_000 * seed * len(kinds_of(own))
    _, found = problems(own, range(first, first + len(kinds_of(own))))
    assert not found, "\n".join(found)


def test_every_group_has_its_scenarios():
    """Those of the plan, on some engine."""
    groups = {KINDS[kind][0] for streams in STREAMS for kind in kinds_of(subject(streams))}
    assert groups == {
        "image packets",
        "TLAST of images",
        "stalls and gaps",
        "silence",
        "resets",
        "bus abuse",
        "writes while running",
        "writes between images",
        "wrong registers",
        "no program",
        "corrupted load",
        "weight packets",
        "trunk packets",
        "second network",
    }
    total = sum(work.CHUNK for _ in work.tasks(5_000, 1))
    assert total >= 5_000


def _no_watchdog(monkeypatch):
    def elaborate(self, platform):
        m = Watchdog_elaborate(self, platform)
        m.d.comb += self.timeout.eq(0)
        return m

    Watchdog_elaborate = Watchdog.elaborate
    monkeypatch.setattr(Watchdog, "elaborate", elaborate)


def _no_lock(monkeypatch):
    original = HostPort._guard

    def guard(self, m, bus, inputs):
        original(self, m, bus, inputs)
        m.d.comb += bus.writes.eq(self.host.w_en)

    monkeypatch.setattr(HostPort, "_guard", guard)


def _no_checksum(monkeypatch):
    original = HostPort._guard

    def guard(self, m, bus, inputs):
        original(self, m, bus, inputs)
        m.d.comb += self.runnable.eq(1)

    monkeypatch.setattr(HostPort, "_guard", guard)


def _no_numbers(monkeypatch):
    original = WeightLoader._guard

    def guard(self, m, takes, *others):
        original(self, m, takes, *others)
        m.d.comb += self.i.ready.eq(takes)
        return 0

    monkeypatch.setattr(WeightLoader, "_guard", guard)


def _no_answer(monkeypatch):
    original = Outlet.elaborate

    def elaborate(self, platform):
        m = original(self, platform)
        m.d.comb += self.o.valid.eq(self.i.valid)
        return m

    monkeypatch.setattr(Outlet, "elaborate", elaborate)


PLANTED = {
    "watchdog": ("onchip", _no_watchdog, "source_that_ends"),
    "lock": ("onchip", _no_lock, "write_memory"),
    "checksum": ("onchip", _no_checksum, "flipped_bit"),
    "numbers of passes": ("weights", _no_numbers, "repeated_weights"),
    "end of a stream": ("onchip", _no_answer, "soft_reset"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_faults_are_found(name, monkeypatch):
    """An engine without one of its guards fails scenarios of the kind that the guard is for."""
    streams, plant, kind = PLANTED[name]
    with monkeypatch.context() as patched:
        plant(patched)
        broken = subject.__wrapped__(streams)
    kinds = kinds_of(broken)
    seeds = [round_ * len(kinds) + kinds.index(kind) for round_ in range(30)]
    _, found = problems(broken, seeds)
    assert found, f"{kind} says nothing of an engine without {name}"


def test_nothing_wrong_is_right(seed):
    """The scenarios' own frame: images that nothing disturbs, on every engine without checks too."""
    own = subject("both", checks="none")
    with own.player(1) as player:
        verdict = run(player, own, plain(own))
    assert (verdict.outcome, verdict.next, verdict.flags) == (RIGHT, RIGHT, [])
