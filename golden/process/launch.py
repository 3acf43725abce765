"""The process of a tool that is a function of a Python package.

    python launch.py MODULE FUNCTION argv|list ARGUMENT ...

Whatever goes wrong around the tool, as a folder for its compiled form that cannot be written, is one line.
"""

import errno
import importlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

FAILED = 71  # EX_OSERR of sysexits.h
ROOM = 200 << 20  # bytes, about what Yosys takes


def fail(message: str) -> NoReturn:
    """Ends the process with a line that says why the tool does not come to work."""
    print(message, file=sys.stderr)
    sys.exit(FAILED)


def check_cache(module: str) -> None:
    """Raises OSError where the compiled form of a tool of YoWASP, the work of minutes, cannot be kept."""
    folder = Path(os.environ.get("YOWASP_CACHE_DIR", ""), module)
    if not module.startswith("yowasp") or any(folder.rglob("*/*")):
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        if shutil.disk_usage(folder).free < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def main() -> None:
    """Runs the tool with the arguments behind the first three; its status is the process's."""
    module, function, how, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    # Python ignores it; a tool in WebAssembly would take a file that was cut off for a whole one.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        check_cache(module)
        tool = getattr(importlib.import_module(module), function)
        sys.exit(tool() if how == "argv" else tool(arguments))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}; accepted: YOWASP_CACHE_DIR naming a folder with space")
    except Exception as error:
        fail(f"{type(error).__name__}: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
