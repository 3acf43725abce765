"""`python -m dorefa`."""

from dorefa.cli.main import command

command()
