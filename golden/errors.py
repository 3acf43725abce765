"""The one exception for everything a user can cause."""


class InputError(ValueError):
    """The input cannot be used.

    The message is one line: where (file, layer, parameter), the offending value, and what would
    be accepted. Programs print it without a traceback.
    """


class MachineError(InputError):
    """The input cannot be used on this machine as it is now: a full disk, a folder without permission."""
