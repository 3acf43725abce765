"""The `dorefa` command: finds the verb, runs it, turns its outcome into an exit status.

Exit status: 0 success; 1 the job failed or the input is unusable (one line on standard error);
2 wrong usage; 3 a bug of ours; 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from dorefa.golden.errors import InputError

from . import (
    boards,
    build,
    cache,
    check,
    devices,
    explore,
    export,
    generate,
    golden,
    quantize,
    report,
    run,
    simulate,
    synth,
    train,
    zoo,
)
from .common import streams

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

VERBS = {
    "generate": generate,
    "simulate": simulate,
    "golden": golden,
    "synth": synth,
    "build": build,
    "run": run,
    "explore": explore,
    "train": train,
    "export": export,
    "quantize": quantize,
    "zoo": zoo,
    "check": check,
    "report": report,
    "boards": boards,
    "devices": devices,
    "cache": cache,
}
OK, FAILED, BUG, INTERRUPTED = 0, 1, 3, 130
# Characters of a message.
_LONGEST = 2000


class _Parser(argparse.ArgumentParser):
    """One whose help is written, or fails: argparse drops what is longer than a buffer without a word."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Writes the help to `file`, standard output by default."""

        def say() -> int:
            if file is None:
                streams.write(sys.stdout, self.format_help())
            else:
                file.write(self.format_help())
            return OK

        if status := outcome(say):
            raise SystemExit(status)


def build_parser() -> argparse.ArgumentParser:
    """The argparse parser of the whole command; each verb module adds its own part."""
    parser = _Parser(
        prog="dorefa",
        description="Bit-exact hardware for low-bitwidth neural networks.",
        epilog="`dorefa VERB --help` shows the options of a verb and an example.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dorefa {version('dorefa')}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, module in VERBS.items():
        verb = verbs.add_parser(
            name,
            help=module.SUMMARY,
            description=module.SUMMARY[0].upper() + module.SUMMARY[1:] + ".",
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(verb)
        verb.add_argument(
            "--json",
            metavar="FILE",
            help="write a machine-readable report; - is standard output",
        )
        verb.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` (default: the process's) and returns the exit status.

    Wrong usage and `--help` leave through SystemExit, as argparse does.
    """
    args = build_parser().parse_args(argv)
    return outcome(lambda: args.run(args))


def outcome(work: Callable[[], int]) -> int:
    """The exit status of `work`, its own or that of what it raises, which is said on standard error."""
    try:
        return work()
    except InputError as error:
        return _complain(" ".join(str(error).split()))
    except BrokenPipeError:
        # The reader of our output left (`dorefa zoo | head`); nothing more can be said to it.
        streams.abandon(sys.stdout)
        return OK
    except OSError as error:
        if error.filename is None:
            return _report_bug()
        return _complain(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        streams.say_error("dorefa: interrupted")
        return INTERRUPTED
    except Exception:
        return _report_bug()


def _complain(message):
    if len(message) > _LONGEST:  # of names that a file may choose
        message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
    streams.say_error(f"dorefa: {message}")
    return FAILED


def _report_bug():
    streams.say_error(traceback.format_exc(), end="")
    streams.say_error(
        f"dorefa: this is a bug of dorefa {version('dorefa')}, not of your input; please report it "
        "with the traceback above and the command that led to it"
    )
    return BUG
