"""`python -m dorefa.cli.demo`."""

import sys

from ..streams import guarded
from .demo import main

sys.exit(guarded(main))
