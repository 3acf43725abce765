"""Runs a command that ends together with the process that asked for it, however that one ends.

    python -I -S guard.py COMMAND ARGUMENT ...

leads a process group of its own, and its standard input is a pipe to which nobody writes. When the pipe's
other end closes, because whoever asked is through with the command or was killed, all processes of the
group are killed. The command takes the place of this process, so status and signals are its own.
"""

import os
import signal
import sys


def main(command: list[str]) -> None:
    """Leaves a process behind that watches the pipe, and becomes the command, which reads nothing."""
    null = os.open(os.devnull, os.O_RDWR)
    if os.fork() == 0:
        # What the command says has an end when the command does.
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.read(0, 1)
        os.killpg(0, signal.SIGKILL)
    os.dup2(null, 0)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
