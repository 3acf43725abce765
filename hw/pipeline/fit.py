"""The fastest pipeline of a network that a device has room for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork

from .cells import Size, predicted
from .plan import PipelinePlan, make_plan

# What place and route gets in, and registers a cell: measured of kernels, which have the most.
_FILL, _REGISTERS = 0.9, 1.6
# Predicted cells are within a tenth of those that are made.
_SURE = 0.9
_LONGEST_PACE = 1 << 12


@dataclass(frozen=True, kw_only=True)
class Room:
    """A device: its name, cells, registers and block RAMs."""

    name: str
    cells: int
    registers: int
    rams: int

    @property
    def usable(self) -> int:
        """Cells that a pipeline may take."""
        return int(min(_FILL * self.cells, self.registers / _REGISTERS))

    def holds(self, size: Size) -> bool:
        """Whether there is room for a pipeline."""
        return size.cells <= self.usable and size.rams <= self.rams


def check_fits(plan: PipelinePlan, size: Size, room: Room) -> None:
    """Raises :class:`InputError` where a device has no room for a plan."""
    if not room.holds(size):
        raise InputError(
            f"{plan.network.name} takes {size.cells:,} cells and {size.rams} block RAMs as a pipeline with "
            f"an image every {plan.interval:,} cycles; accepted by {room.name}: {room.usable:,} and "
            f"{room.rams}; the engine (--architecture engine) runs it"
        )


def check_room(size: Size, room: Room) -> None:
    """Raises :class:`InputError` where a device certainly has no room for a predicted size, so that nothing
    needs to be synthesized."""
    if _SURE * size.cells > room.cells or size.rams > room.rams:
        raise InputError(
            f"does not fit {room.name}: it needs {size.cells:,} of {room.cells:,} LUTs and {size.rams:,} of "
            f"{room.rams:,} block RAMs, as predicted; accepted: a longer interval or a larger device"
        )


def fit_plan(network: IntegerNetwork, room: Room, *, evaluations: int) -> tuple[PipelinePlan, Size]:
    """A plan of the shortest interval that fits a device, of a pixel every 1, 2, 3, 4, 6, 8, ... cycles, and
    its size.

    evaluations: of the search, as of :class:`.KernelOptions`, which the last plan alone has. Raises
    :class:`InputError` for a network that no pipeline runs, and where none fits.
    """
    for pace in _paces():
        plan = make_plan(network, absorbs=True, pace=pace, evaluations=0)
        size = predicted(plan)
        if room.holds(size):
            break
    check_fits(plan, size, room)
    if not evaluations:
        return plan, size
    plan = make_plan(network, absorbs=True, pace=pace, evaluations=evaluations)
    return plan, predicted(plan)


def _paces() -> Iterator[int]:
    yield 1
    pace = 2
    while pace <= _LONGEST_PACE:
        yield pace
        yield pace + pace // 2
        pace *= 2
