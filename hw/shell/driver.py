"""The host's side of a board with a network: loads networks and classifies images over a serial port."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from dorefa.golden.errors import InputError

from ..config.engine import EngineConfig
from ..interface.register import Access
from ..interface.registers import BOARD_REGISTERS, REGISTERS, engine_registers
from .serial_link import SerialLink, packet_command


class Board(SerialLink):
    """A board with a network behind an open serial port, see :class:`SerialLink`.

    Attributes after :meth:`connect`: `input_shape` (H, W, C) of the images, `classes`, and `result_bytes` of
    a result.
    """

    input_shape: tuple[int, int, int]
    classes: int
    result_bytes: int

    def connect(self) -> None:
        """Ends whatever was under way, checks who answers and asks for the network's shape."""
        super().connect()
        sizes: dict[str, int] = {}
        for name in ("shape", "channels", "results"):
            sizes |= self.fields(BOARD_REGISTERS[name])
        if not sizes["classes"]:
            raise InputError(
                f"{self.name}: the board has an engine that trains and no network; accepted: a board that "
                "`dorefa build` made without --training"
            )
        self.input_shape = (sizes["height"], sizes["width"], sizes["channels"])
        self.result_bytes, self.classes = sizes["result_bytes"], sizes["classes"]

    def require_engine(self, config: EngineConfig, where: str) -> None:
        """Raises :class:`InputError` unless the engine says the sizes of `config`, which is from `where`."""
        if self.is_pipeline:
            raise InputError(
                f"{where}: is of an engine, and {self.name} has a pipeline, whose weights are its logic; "
                "accepted: a board with an engine, or no --load"
            )
        for register in engine_registers(config).values():
            if all(field.access is Access.CONSTANT for field in register.fields):
                found = self.read(register.address)
                if found != register.reset_word:
                    raise InputError(
                        f"{where}: register {register.name} is {register.reset_word:#x}; accepted on "
                        f"{self.name}: {found:#x}, that of its engine"
                    )

    def load(self, writes: Iterable[tuple[int, int]]) -> None:
        """Writes (word address, 32-bit word) pairs, as of ``CompiledNetwork.host_writes``, of a network whose
        watchdog may be made for a faster host than one behind a line: the board's own is kept if it waits
        longer. Raises :class:`InputError` where something else came to the board than was sent."""
        place = REGISTERS["watchdog"].address
        limit = self.read(place)
        self.write((address, max(word, limit) if address == place else word) for address, word in writes)
        self.check_errors()

    def run(self, images: np.ndarray, progress: Callable[[int], object] | None = None) -> np.ndarray:
        """Accumulators of the last layer, int64 (batch, classes), of uint8 images (batch, H, W, C).

        `progress` is called with the number of images done.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.shape[1:] != self.input_shape:
            raise InputError(
                f"images are {images.dtype} of shape {images.shape}; the network on {self.name} accepts "
                f"uint8 of shape (batch, {', '.join(map(str, self.input_shape))})"
            )
        outputs = np.zeros((len(images), self.classes), np.int64)
        for number, image in enumerate(images):
            self._send(packet_command(image.tobytes()))
            try:
                answer = self._receive(self.classes * self.result_bytes)
            except InputError:
                self.check_errors()  # an engine that says why is the better message
                raise
            outputs[number] = np.frombuffer(answer, f"<i{self.result_bytes}")
            if progress is not None:
                progress(number + 1)
        self.check_errors()
        return outputs

    def cycles(self) -> int:
        """Clock cycles of the last image: of an engine from its first feature read to its last result, of a
        pipeline from its first pixel on, as its plan's latency."""
        return self.fields(self.registers["cycles"])["cycles"]
