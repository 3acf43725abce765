"""`python -m dorefa.cli.demo`."""

import sys

from .demo import main

sys.exit(main())
