"""`python -m dorefa.cli`."""

from .command import command

if __name__ == "__main__":
    command()
