"""Groups of ports whose signals are named as flat ports would be."""

from __future__ import annotations

from typing import Any

from amaranth.lib import wiring


class FlatSignature(wiring.Signature):
    """A signature whose member `en` in a port `weights` is the signal ``weights_en``, where a plain
    signature makes ``weights__en``, so that a group of ports reads well in Verilog."""

    def create(self, *, path: tuple[str, ...] | None = None, src_loc_at: int = 0) -> Any:
        """An interface with these signals; `path` names it."""
        interface = super().create(path=path, src_loc_at=1 + src_loc_at)
        for name, member in self.members.items():
            flat = "_".join([*(path or ()), name])
            created = wiring.Signature({flat: member}).create(path=(), src_loc_at=1 + src_loc_at)
            setattr(interface, name, getattr(created, flat))
        return interface
