"""When things happened to the packet of images that is running, as every bench in Python notes it."""

from __future__ import annotations


class Stamps:
    """Cycles of events, and of the ends of passes."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self.ends: list[int] = []

    def note(self, event: str, cycle: int) -> None:
        """``in`` and ``out`` are beats at the ports, ``read`` the first read of the complete image."""
        self._first.setdefault(event, cycle)
        self._last[event] = cycle

    @property
    def place(self) -> int:
        """Number of the pass that is running, counted from 1; 0 before the first read."""
        return len(self.ends) + 1 if "read" in self._first else 0

    def fields(self) -> dict[str, int]:
        """The stamps by their names in :class:`.job.Trace`, those of the passes excepted."""
        return {
            "first_in": self._first["in"],
            "last_in": self._last["in"],
            "first_read": self._first["read"],
            "first_out": self._first["out"],
            "last_out": self._last["out"],
        }
