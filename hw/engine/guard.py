"""What is watched over, and what ends because of it."""

from __future__ import annotations

from typing import Any

from amaranth import Module, Signal, Value

from .array.weight_loader import WeightLoader
from .host_port import HostPort
from .outlet import Outlet
from .output.trunk_streams import TrunkStreams
from .recovery import Recovery
from .sequencer import Sequencer
from .watchdog import Watchdog


def connect_recovery(
    m: Module, host: HostPort, recovery: Recovery, busy: Value, outlets: list[Outlet]
) -> None:
    """The host's reset, the engine's, and the streams that leave: the first of `outlets` is that of
    results."""
    m.d.comb += [recovery.wish.eq(host.reset), recovery.busy.eq(busy), outlets[0].answer.eq(recovery.answer)]
    m.d.comb += [outlet.stop.eq(recovery.stop) for outlet in outlets]
    stopped = Signal(len(outlets))
    m.d.comb += [bit.eq(outlet.stopped) for bit, outlet in zip(stopped, outlets, strict=True)]
    m.d.comb += recovery.stopped.eq(stopped.all())


def connect_guard(
    m: Module,
    engine: Any,
    host: HostPort,
    sequencer: Sequencer,
    recovery: Recovery,
    loader: WeightLoader | None,
    trunks: TrunkStreams | None,
) -> None:
    """Every error to the host's status, and those that end the image to `recovery`; `engine` has the
    ports."""
    m.submodules.watchdog = watchdog = Watchdog()
    inlets = [getattr(engine, name) for name in ("i", "weights", "trunks_i") if hasattr(engine, name)]
    outlets = [getattr(engine, name) for name in ("o", "trunks_o") if hasattr(engine, name)]
    moves: Value = sequencer.start | sequencer.ended
    for port in inlets:
        moves = moves | (port.valid & port.ready)
    # What waits for its receiver does not wait for the engine.
    for port in outlets:
        moves = moves | port.valid
    waits = engine.i.valid & host.enable & ~host.reset
    m.d.comb += [
        watchdog.limit.eq(host.watchdog),
        watchdog.watched.eq(sequencer.under_way | waits),
        watchdog.moved.eq(moves),
        sequencer.runnable.eq(host.runnable),
        sequencer.writing.eq(host.writing),
        host.under_way.eq(sequencer.under_way),
    ]
    errors: Value = watchdog.timeout | sequencer.wrong_program
    m.d.sync += [
        host.timeout.eq(watchdog.timeout),
        host.invalid_program.eq(sequencer.wrong_program | sequencer.no_program),
    ]
    if loader is not None:
        errors = errors | loader.wrong
        m.d.sync += host.wrong_weights.eq(loader.wrong | loader.stray)
        m.d.comb += [
            loader.start.eq(sequencer.start),
            # Weights of a program that is replaced are nobody's.
            loader.restart.eq(recovery.stop | host.program_en.any()),
            loader.flush.eq(host.reset),
        ]
    if trunks is not None:
        errors = errors | trunks.wrong
        # What comes while an image ends with an error is what that leaves.
        m.d.sync += host.wrong_trunks.eq(trunks.wrong | (trunks.stray & ~recovery.stop))
        # Of which image trunks are: what another one has left may still come.
        image, ran = Signal.like(trunks.image), Signal()
        now = image + (sequencer.under_way & ~ran)
        m.d.sync += [ran.eq(sequencer.under_way), image.eq(now)]
        m.d.comb += [
            trunks.ended.eq(sequencer.ended),
            trunks.idle.eq(~sequencer.under_way),
            trunks.image.eq(now),
        ]
    m.d.comb += recovery.error.eq(errors)
