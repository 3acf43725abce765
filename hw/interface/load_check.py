"""The checksum of what a host loads: the CRC-32 of zlib, Ethernet and zip, from which the engine's is
derived."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from ..config.engine import EngineConfig
from .registers import REGISTERS

_ONES = 0xFFFFFFFF


def crc_columns() -> list[int]:
    """The CRC's register after a word, for each of its 32 bits alone: with the register XOR the word before,
    it is the XOR of those whose bits are set. The register begins with ones and is inverted in the end."""
    return [zlib.crc32(bytes(4), (1 << bit) ^ _ONES) ^ _ONES for bit in range(32)]


def load_crc(writes: Iterable[tuple[int, int]]) -> int:
    """CRC-32 of (word address, 32-bit word) pairs, in order: of ``word XOR address``, the lowest byte
    first."""
    value = 0
    for address, word in writes:
        value = extended(value, address, word)
    return value


def extended(value: int, address: int, word: int) -> int:
    """:func:`load_crc` of a load whose CRC was `value` and one more pair."""
    return zlib.crc32((word ^ address).to_bytes(4, "little"), value)


def checked(config: EngineConfig, writes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Writes (word address, 32-bit word) of memories, between those that begin the load and check it; as they
    are where the engine has no checksum."""
    if not config.checksum:
        yield from writes
        return
    yield REGISTERS["load_begin"].address, 0
    value = 0
    for address, word in writes:
        value = extended(value, address, word)
        yield address, word
    yield REGISTERS["load_check"].address, value
