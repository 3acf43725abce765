"""`dorefa report`: one page about a network and its hardware, to be opened in a browser."""

import argparse
import contextlib
import json
import shlex
import sys

from dorefa.golden.errors import InputError

from . import check
from .common import options
from .common.output import Output

SUMMARY = "write one self-contained HTML page about a network and its hardware"
EXAMPLE = "dorefa report digits --lanes 64 --rows 16 -o report.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`: those of `check`, whose report it is made of."""
    check.add_arguments(parser)
    parser.add_argument("-o", "--output", required=True, metavar="FILE.html", help="the page")


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status. A network that is not supported has a page too, which says why,
    and raises :class:`InputError` as `check` does."""
    from dorefa.golden import lower
    from dorefa.golden.files import write_file
    from dorefa.golden.process.scratch import scratch_folder

    from .reporting.page import page
    from .training.options import training_asked

    if training_asked(args):
        raise InputError("--training is given; accepted: without it (dorefa check says what a step takes)")
    out = Output(args.json, outputs={"--output": args.output}, inputs=options.input_files(args))
    refused: InputError | None = None
    with scratch_folder() as folder:
        own = argparse.Namespace(**vars(args) | {"json": str(folder / "report.json")})
        # Standard output is the report's where that is asked for.
        said = contextlib.redirect_stdout(sys.stderr) if args.json == "-" else contextlib.nullcontext()
        with said:
            try:
                check.run(own)
            except InputError as error:
                if not (folder / "report.json").exists():
                    raise
                refused = error
        contents = json.loads((folder / "report.json").read_text())
    network = lower(options.load_network(args.model, args))
    write_file(args.output, page(network, contents, command=shlex.join(sys.argv[1:])).encode())
    out.say(f"wrote {args.output}")
    out.report(contents | {"files": [args.output]})
    if refused is not None:
        raise refused
    return 0
