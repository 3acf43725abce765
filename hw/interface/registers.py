"""The registers that a host sees: one table is the engine's, on its host port, the other holds the words of a
board around it.

Hardware, the driver, ``engine.json``, ``engine.h`` and the tables of the documentation are made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from ..config.engine import EngineConfig
from .faults import CHECKSUM, FAULT_BITS, FAULTS, FIRST_BIT, GUARDED
from .register import WORD_BITS, Access, Field, Register

IDENTITY = 0x444F5245
BOARD_IDENTITY = 0x42524F44
# Version of both tables and of the memory map.
VERSION = 4
# Word addresses from here on are the board's own.
BOARD_SPACE = 1 << 31
# Of the fields of jobs.
_TRAINING = ("training", 1)
# Bits of the noise generator's state, in words that the host writes.
_SEED_WORDS = [*(WORD_BITS,) * 3, 31]


class Mode(IntEnum):
    """What the packets of an engine with `training` 1 carry, and what becomes of it: images for the
    program; words of gradients and of weights, first for their scale, then for their codes."""

    IMAGE = 0
    MEASURE_GRADIENTS = 1
    QUANTIZE_GRADIENTS = 2
    MEASURE_WEIGHTS = 3
    QUANTIZE_WEIGHTS = 4


def _table(*registers: Register) -> dict[str, Register]:
    return {register.name: register for register in registers}


def _whole(
    name: str,
    address: int,
    access: Access,
    meaning: str,
    *,
    width: int = WORD_BITS,
    reset: int = 0,
    only: tuple[str | int, ...] | None = None,
) -> Register:
    """A register of one field, which has its name."""
    field = Field(name=name, lsb=0, width=width, access=access, reset=reset, meaning=meaning, only=only)
    return Register(name=name, address=address, meaning=meaning, fields=(field,))


def _constant(name: str, lsb: int, width: int, value: str, meaning: str) -> Field:
    return Field(name=name, lsb=lsb, width=width, access=Access.CONSTANT, reset=value, meaning=meaning)


def _event(name: str, lsb: int, meaning: str, only: tuple[str | int, ...] | None = None) -> Field:
    return Field(name=name, lsb=lsb, width=1, access=Access.CLEAR, meaning=meaning, only=only)


def _of_job(name: str, lsb: int, width: int, meaning: str) -> Field:
    return Field(name=name, lsb=lsb, width=width, access=Access.READ_WRITE, meaning=meaning, only=_TRAINING)


# What is not constant is a port of the host port, by the field's name.
REGISTERS = _table(
    _whole("identity", 0, Access.CONSTANT, "DORE in ASCII, the highest byte first", reset=IDENTITY),
    _whole("version", 1, Access.CONSTANT, "version of this map", reset=VERSION),
    Register(
        name="control",
        address=2,
        meaning="what the engine may do",
        fields=(
            Field(name="enable", lsb=0, width=1, access=Access.READ_WRITE, meaning="accept images"),
            Field(
                name="reset",
                lsb=1,
                width=1,
                access=Access.READ_WRITE,
                meaning="as long as it is 1, everything that is under way ends, and what comes is dropped; "
                "memories and registers stay",
            ),
        ),
    ),
    _whole(
        "layers",
        3,
        Access.READ_WRITE,
        "passes of the program: layers, or parts of layers",
        width=13,
        reset=1,
    ),
    _whole("image_bytes", 4, Access.READ_WRITE, "bytes of one image packet", reset=1),
    Register(
        name="status",
        address=5,
        meaning="what the engine does, and what went wrong since it was cleared",
        fields=(
            Field(
                name="busy", lsb=0, width=1, access=Access.READ_ONLY, meaning="an image is computed, or ends"
            ),
            *(_event(fault.name, fault.bit, fault.meaning, only=fault.only) for fault in FAULTS),
        ),
    ),
    _whole(
        "cycles",
        6,
        Access.READ_ONLY,
        "cycles of the last image, from its first feature read to its last result",
    ),
    Register(
        name="array",
        address=7,
        meaning="size of the dot array",
        fields=(
            _constant("lanes", 0, 12, "lanes", "bits of the reduction per cycle"),
            _constant("rows", 12, 12, "total_rows", "output channels in parallel, of all engines"),
            _constant("cols", 24, 8, "cols", "output pixels in parallel"),
        ),
    ),
    Register(
        name="widths",
        address=8,
        meaning="widest operands, and channels per cycle behind the array",
        fields=(
            _constant("w_bits", 0, 8, "w_bits", "bits of the widest weight"),
            _constant("a_bits", 8, 8, "a_bits", "bits of the widest activation that is read"),
            _constant("out_bits", 16, 5, "out_bits", "bits of the widest activation that is written"),
            _constant("quant", 21, 11, "total_quant", "channels quantized per cycle, of all engines"),
        ),
    ),
    _whole(
        "program_start",
        9,
        Access.READ_WRITE,
        "word of the program memory where the first pass's descriptor begins",
        width=20,
        only=_TRAINING,
    ),
    Register(
        name="job",
        address=10,
        meaning="what becomes of a packet",
        fields=(
            _of_job("mode", 0, 3, ", ".join(f"{mode} {mode.name.lower()}" for mode in Mode)),
            _of_job("hold_weights", 3, 1, "the weights of the only pass stay for the packets that follow"),
            _of_job("noise", 4, 1, "gradients are rounded with noise, else to nearest"),
            _of_job("code_bits", 8, 4, "bits of the codes that words become"),
        ),
    ),
    *(
        _whole(
            f"noise_seed_{word}",
            11 + word,
            Access.READ_WRITE,
            f"bits {WORD_BITS * word + width - 1} to {WORD_BITS * word} of the noise generator's first state",
            width=width,
            only=_TRAINING,
        )
        for word, width in enumerate(_SEED_WORDS)
    ),
    _whole(
        "measured",
        15,
        Access.READ_ONLY,
        "of the last packet measured: the scale k of gradients, the greatest magnitude of weights as float32",
        only=_TRAINING,
    ),
    Register(
        name="interrupts",
        address=16,
        meaning="which bits of the status raise the interrupt",
        fields=(
            Field(
                name="interrupts",
                lsb=FIRST_BIT,
                width=FAULT_BITS,
                access=Access.READ_WRITE,
                meaning="the bits of `status` that make `irq` high while they are set",
                only=GUARDED,
            ),
        ),
    ),
    _whole(
        "watchdog",
        17,
        Access.READ_WRITE,
        "cycles in which nothing may move while an image waits or is under way, 0 for any number",
        only=GUARDED,
    ),
    _whole("load_begin", 18, Access.COMMAND, "any word: what is loaded begins here", only=CHECKSUM),
    _whole(
        "load_crc",
        19,
        Access.READ_ONLY,
        "CRC-32 of what was loaded since: of every word written to a memory, XOR its word address",
        only=CHECKSUM,
    ),
    _whole(
        "load_check",
        20,
        Access.COMMAND,
        "the CRC-32 that the load must have: with it images are accepted, until the next word is loaded",
        only=CHECKSUM,
    ),
)
REGISTER_BITS = max(register.address for register in REGISTERS.values()).bit_length()

BOARD_REGISTERS = _table(
    _whole(
        "identity", BOARD_SPACE, Access.CONSTANT, "DORB in ASCII, the lowest byte first", reset=BOARD_IDENTITY
    ),
    Register(
        name="shape",
        address=BOARD_SPACE + 1,
        meaning="size of an image",
        fields=(
            _constant("height", 0, 16, "height", "rows of pixels"),
            _constant("width", 16, 16, "width", "pixels of a row"),
        ),
    ),
    Register(
        name="results",
        address=BOARD_SPACE + 2,
        meaning="answer to an image",
        fields=(
            _constant("classes", 0, 16, "classes", "results of an image"),
            _constant("result_bytes", 16, 8, "result_bytes", "bytes of a result"),
        ),
    ),
    Register(
        name="errors",
        address=BOARD_SPACE + 3,
        meaning="what went wrong on the line since it was cleared",
        fields=(
            _event("framing", 0, "a break or a low stop bit"),
            _event("overrun", 1, "an image byte while it was busy"),
            _event("unknown", 2, "an unknown command or an empty image"),
        ),
    ),
    Register(
        name="channels",
        address=BOARD_SPACE + 4,
        meaning="depth of an image",
        fields=(_constant("channels", 0, 16, "channels", "channels of a pixel"),),
    ),
    Register(
        name="interface",
        address=BOARD_SPACE + 5,
        meaning="engine that waits for jobs of training steps; sizes of images are 0 then",
        fields=(
            Field(
                name="interface",
                lsb=0,
                width=WORD_BITS,
                access=Access.CONSTANT,
                reset="interface",
                meaning="the first 32 bits of interface_sha256",
                only=_TRAINING,
            ),
        ),
    ),
)
# Address bits that tell the board's words apart.
BOARD_BITS = max(register.address - BOARD_SPACE for register in BOARD_REGISTERS.values()).bit_length()


def engine_registers(config: EngineConfig, words: Mapping[str, int] | None = None) -> dict[str, Register]:
    """The registers that an engine of this configuration has, with its constants. `words`, by the names of
    registers: what a preloaded engine begins with. Raises :class:`InputError` for a value that does not
    fit."""

    def value_of(name: str) -> int:
        return getattr(config, name)

    registers = {
        name: register.with_constants(value_of)
        for name, register in REGISTERS.items()
        if register.exists(config)
    }
    return registers | {name: registers[name].with_resets(word) for name, word in (words or {}).items()}


def board_registers(shape: tuple[int, int, int], *, classes: int, result_bytes: int) -> dict[str, Register]:
    """The table of a board with a network of this image `shape` (H, W, C) and so many results of
    `result_bytes`. Raises :class:`InputError` for a value that does not fit its field."""
    values = dict(zip(("height", "width", "channels"), shape, strict=True))
    values |= {"classes": classes, "result_bytes": result_bytes}
    return {
        name: register.with_constants(values.__getitem__)
        for name, register in BOARD_REGISTERS.items()
        if name != "interface"
    }


def training_board_registers(interface_sha256: str, *, result_bytes: int) -> dict[str, Register]:
    """The table of a board whose engine trains and has no network: its sums have `result_bytes`,
    `interface_sha256` are hexadecimal digits."""
    registers = board_registers((0, 0, 0), classes=0, result_bytes=result_bytes)
    own = BOARD_REGISTERS["interface"].with_constants(lambda _: interface_word(interface_sha256))
    return registers | {"interface": own}


def interface_word(interface_sha256: str) -> int:
    """What the register `interface` holds of these hexadecimal digits."""
    return int(interface_sha256[: WORD_BITS // 4], 16)
