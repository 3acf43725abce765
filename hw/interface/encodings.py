"""Which weight encodings an engine of each encoding runs."""

from __future__ import annotations

from collections.abc import Iterable

from dorefa.golden.network.encoding import Encoding

from ..config.engine import EngineConfig

ACCEPTED_ENCODINGS: dict[str, tuple[Encoding, ...]] = {
    "bipolar": (Encoding.BIPOLAR,),
    "unsigned": (Encoding.UNSIGNED,),
    "twos_complement": (Encoding.TWOS_COMPLEMENT, Encoding.UNSIGNED),
    "any": (Encoding.BIPOLAR, Encoding.TWOS_COMPLEMENT, Encoding.UNSIGNED),
}


def accepted_encodings(config: EngineConfig) -> tuple[Encoding, ...]:
    """Encodings of the layers that an engine of `config` runs."""
    return ACCEPTED_ENCODINGS[config.encoding]


def engine_encoding(encodings: Iterable[Encoding]) -> str:
    """The engine parameter `encoding` for layers of these encodings: the one that accepts the fewest
    others."""
    needed = set(encodings)
    suits = [name for name, accepted in ACCEPTED_ENCODINGS.items() if needed <= {*accepted}]
    return min(suits, key=lambda name: len(ACCEPTED_ENCODINGS[name]))
