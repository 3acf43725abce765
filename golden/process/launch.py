"""The process of a tool that is a function of a Python package.

    python launch.py MODULE FUNCTION argv|list ARGUMENT ...

Whatever goes wrong around the tool, as a folder for its compiled form that cannot be written, is one line.
"""

import importlib
import signal
import sys
from typing import NoReturn

FAILED = 71  # EX_OSERR of sysexits.h


def fail(message: str) -> NoReturn:
    """Ends the process with a line that says why the tool does not come to work."""
    print(message, file=sys.stderr)
    sys.exit(FAILED)


def main() -> None:
    """Runs the tool with the arguments behind the first three; its status is the process's."""
    module, function, how, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    # Python ignores it; a tool in WebAssembly would take a file that was cut off for a whole one.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        tool = getattr(importlib.import_module(module), function)
        sys.exit(tool() if how == "argv" else tool(arguments))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}; accepted: a folder that can be written")
    except Exception as error:
        fail(f"{type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
