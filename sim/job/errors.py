"""What goes wrong in a simulation through no fault of the input."""


class SimulationError(RuntimeError):
    """The simulated engine did not finish, or broke the protocol of a port: a bug of the engine."""
