"""A pipeline for a device: `--device`, and `--architecture auto`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError

from ..common import options
from ..common.output import Output
from .engine_options import engine_options
from .plan import device_plan, effort_of, pace_of

if TYPE_CHECKING:
    from dorefa.hw.pipeline.plan import PipelinePlan
    from dorefa.synth.boards.catalog import Board
    from dorefa.synth.targets.target import Device, Target


def sized_target() -> Target:
    """The target that sizes of pipelines are predicted for."""
    from dorefa.hw.pipeline.cells import FABRIC
    from dorefa.synth.targets.catalog import TARGETS

    return next(target for target in TARGETS.values() if target.fabric_name == FABRIC)


def named_device(name: str | None) -> Device:
    """A device whose pipelines can be sized, the first one without a name."""
    target = sized_target()
    return target.devices[0] if name is None else target.find_device(name)


def check_board(plan: PipelinePlan, board: Board) -> None:
    """Raises :class:`InputError` where a board certainly has no room for a plan, before it is synthesized."""
    from dorefa.hw.pipeline.cells import predicted
    from dorefa.hw.pipeline.fit import check_room
    from dorefa.synth.boards.catalog import device_of
    from dorefa.synth.flow.units import room_of

    if board.target is sized_target():
        try:
            check_room(predicted(plan), room_of(device_of(board)))
        except InputError as error:
            raise InputError(f"{plan.network.name} as a pipeline {error}") from None


def choose(args: argparse.Namespace) -> str:
    """The architecture of `--architecture auto`, and says why: the pipeline where the network runs as one and
    fits the device, that of the board, or the first one that pipelines are sized for."""
    from dorefa.golden import lower

    out = Output(args.json)
    for name, value in engine_options(args).items():
        out.say(f"architecture: engine, because --{name} is {value}")
        return "engine"
    if args.model is None:
        raise InputError("--architecture auto needs a network; accepted: --model MODEL beside it")
    device = _device_of(args)
    network = lower(options.load_network(args.model, args))
    pace_of(args, network), effort_of(args)  # which are wrong whatever is chosen
    try:
        plan, size = device_plan(args, network, device, effort=0)
    except InputError as error:
        out.say(f"architecture: engine, because {error}")
        return "engine"
    args.interval = plan.pixel_cycles
    out.say(
        f"architecture: pipeline, because {size.cells:,} cells and {size.rams} block RAMs of {device.name}'s "
        f"{device.luts:,} and {device.brams} give an image every {plan.interval:,} cycles"
    )
    return "pipeline"


def _device_of(args: argparse.Namespace) -> Device:
    """The device that is asked for: the board's, or by name."""
    from dorefa.synth.boards.catalog import device_of, find_board
    from dorefa.synth.targets.catalog import find_target

    target, board = sized_target(), getattr(args, "board", None)
    if board is not None:
        where, asked = board, find_board(board).target
    else:
        # What only simulates has a target for netlists alone.
        where = getattr(args, "target", None) or target.name
        asked = find_target(where)
    if asked is not target:
        raise InputError(
            f"--architecture auto for {where}: pipelines are sized for {target.name} alone; accepted: "
            "engine, pipeline"
        )
    return named_device(getattr(args, "device", None)) if board is None else device_of(find_board(board))
