"""`python -m dorefa`."""

from dorefa.cli.command import command

command()
