"""What can go wrong while an engine works: one list, from which its status register, its interrupts, the host
programs' messages and the documentation are made."""

from __future__ import annotations

from dataclasses import dataclass

# Engine parameter `checks` of engines that watch over more than lengths of packets.
GUARDED = ("checks", "full", "basic")
CHECKSUM = ("checks", "full")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A cause: bit `name` of the status register, at `bit`, stays until the host clears it.

    `meaning`: what happened; `only`: as of :class:`.register.Field`, which engines can tell.
    """

    name: str
    bit: int
    meaning: str
    only: tuple[str, ...] | None = None


FAULTS = (
    Fault(name="wrong_packet", bit=1, meaning="an image had another length and was dropped"),
    Fault(
        name="wrong_weights",
        bit=2,
        meaning="a packet of weights had another length, or was that of another pass",
    ),
    Fault(
        name="wrong_trunks",
        bit=3,
        meaning="a residual trunk came back with another length, or was that of another pass",
        only=("trunks", "stream"),
    ),
    Fault(
        name="invalid_program",
        bit=4,
        meaning="a program did not end with its last pass, or there was none when the engine was enabled or "
        "an image came, which was dropped",
        only=GUARDED,
    ),
    Fault(
        name="timeout",
        bit=5,
        meaning="nothing moved for as many cycles as the watchdog allows, while an image waited or was under "
        "way",
        only=GUARDED,
    ),
    Fault(
        name="write_refused",
        bit=6,
        meaning="a write came while an image was under way and changed nothing",
        only=GUARDED,
    ),
    Fault(
        name="wrong_load",
        bit=7,
        meaning="what was loaded had another checksum than the host said",
        only=CHECKSUM,
    ),
)
# Bits of the status register behind that of `busy`.
FIRST_BIT, FAULT_BITS = FAULTS[0].bit, len(FAULTS)
