"""What one beat of each stream of the engine carries, and its host bus."""

from amaranth.lib import data

from ..config.engine import EngineConfig

# Bits of the number of an image in the streams of trunks: more images than are on their way at a time.
IMAGE_BITS = 2


def pass_field(config: EngineConfig) -> dict[str, int]:
    """The field of every beat of a pass that says which one it is, where the engine looks at it: `id`, the
    pass's number in the program, from 0 on."""
    return {"id": config.pass_bits} if config.guarded else {}


def image_layout(config: EngineConfig) -> data.StructLayout:
    """One beat of an image: bytes, lowest first, of which `keep` marks a prefix."""
    return data.StructLayout({"data": 8 * config.port_bytes, "keep": config.port_bytes, "last": 1})


def weights_layout(config: EngineConfig) -> data.StructLayout:
    """One beat of weights, whether it ends a pass, and which (:func:`pass_field`)."""
    return data.StructLayout({"data": 8 * config.port_bytes, "last": 1, **pass_field(config)})


def rows_per_beat(config: EngineConfig) -> int:
    """Rows whose words of `lanes` bits one beat carries."""
    return max(1, 8 * config.port_bytes // config.lanes)


def beats_per_word(config: EngineConfig) -> int:
    """Beats of one row's word."""
    return -(-config.lanes // (8 * config.port_bytes))


def beats_per_address(config: EngineConfig) -> int:
    """Beats that fill one address of the weight memories of all rows."""
    return -(-config.total_rows // rows_per_beat(config)) * beats_per_word(config)


def trunk_layout(config: EngineConfig) -> data.StructLayout:
    """One beat: a group of channels of all engines, a signed integer of `trunk_bits` bits each, the lowest
    channel in the lowest bits, filled up to whole bytes; whether it ends a pass; and where the engine looks
    at it as `id` which pass made it, above that in `IMAGE_BITS` bits of which image."""
    number = {name: bits + IMAGE_BITS for name, bits in pass_field(config).items()}
    return data.StructLayout({"data": 8 * trunk_bytes(config), "last": 1, **number})


def trunk_bytes(config: EngineConfig) -> int:
    """Bytes of a beat."""
    return -(-config.total_quant * config.trunk_bits // 8)
