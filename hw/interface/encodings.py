"""Which weight encodings an engine of each encoding runs, and what its program says of codes."""

from __future__ import annotations

from collections.abc import Iterable

from amaranth import Shape, unsigned

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


def signed_code_fields(config: EngineConfig) -> dict[str, Shape]:
    """Program fields where codes may be signed: whether those that are read are two's complement; and from a
    pooled count to the stored code: twice the count or once, plus an offset, as many bits as the mask has."""
    return {
        "signed_activations": unsigned(1),
        "code_double": unsigned(1),
        "code_offset": unsigned(config.out_bits),
        "stored_mask": unsigned(config.out_bits),
    }
