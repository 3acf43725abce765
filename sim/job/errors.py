"""What goes wrong in a simulation through no fault of the input."""

from dorefa.golden.errors import MachineError


class SimulationError(RuntimeError):
    """The simulated engine did not finish, or broke the protocol of a port: a bug of the engine."""


class Unavailable(MachineError):
    """A simulator is missing here, or cannot be built: another one may work."""
