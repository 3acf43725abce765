"""SHA-256 of everything that is generated, so that a change of form can be told from one of substance.

    python bench/fingerprints.py > before; python bench/fingerprints.py | diff before -

One line per file: of the five presets, of networks on the engines that are sized for them (with the program
and the memories in files, and preloaded), and of one engine of each variation. Takes about two minutes.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

PRESETS = ("default", "lean", "tiny", "wide", "fixed_point")
NETWORKS = {
    "digits": "digits",
    "digits-preloaded": "digits --preload",
    "digits-small": "digits-small",
    "digits-small-preloaded": "digits-small --preload",
    "svhn-d": "svhn-d",
    "svhn-d-preloaded": "svhn-d --preload",
    "digits-columns": "digits --lanes 32 --rows 8 --cols 3 --column-reads separate",
    "digits-shared-columns": "digits --lanes 32 --rows 8 --cols 2 --column-reads shared --preload",
    "digits-engines": "digits --lanes 32 --rows 8 --engines 2 --prefetch 0",
    "digits-affine": "digits --net-w 2 --net-a 4 --quantizer affine --encoding any",
    "digits-macros": "digits --memory macro",
    "svhn-d-streamed-weights": "svhn-d --weights stream --port-bytes 4",
    "resnet18-streamed-trunks": "resnet18 --net-size 32x32 --trunks stream --lanes 32 --rows 16",
    "resnet18-trunks": "resnet18 --net-size 32x32 --lanes 32 --rows 16",
}
# Says what the engine is, not how it works; release and tools stand in it.
DESCRIPTION = ("engine.json", "engine.core", "engine.h")


def fingerprints(options):
    """{name of a file: hex digest} of what `dorefa generate` writes with these options."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "dorefa.cli", "generate", "-o", folder, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(Path(folder).iterdir())
            if path.name not in DESCRIPTION
        }


def main():
    """Prints the table."""
    engines = {name: ["--preset", name] for name in PRESETS}
    engines |= {name: ["--model", *options.split()] for name, options in NETWORKS.items()}
    for engine, options in engines.items():
        for file, digest in fingerprints(options).items():
            print(f"{digest}  {engine}/{file}", flush=True)


if __name__ == "__main__":
    main()
