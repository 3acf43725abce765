"""`make demo`."""

from ..command import handle_signals, run


def command() -> None:
    """Entry point of `python -m dorefa.cli.demo`; statuses are those of the verbs."""
    handle_signals()
    from ..main import outcome
    from .demo import main

    run(lambda: outcome(main))


if __name__ == "__main__":
    command()
