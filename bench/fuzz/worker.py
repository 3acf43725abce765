"""Fuzzes one target, in a process of its own."""

import hashlib
import json
import os
import re
import resource
import sys
import time
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dorefa", "tomllib", "json", "zipfile", "numpy.lib"]):
    from targets import TARGETS

    from dorefa.golden.errors import InputError

SECONDS, MIB = 5.0, 256
# Bytes of an input.
LONGEST = 1 << 16


class Worker:
    """Counts what a reader does with the inputs of the fuzzer, and keeps what it must not do."""

    def __init__(self, name, target, seconds, folder, found):
        self.name, self.target, self.folder, self.found = name, target, Path(folder), Path(found)
        self.path = str(self.folder / f"input{self.target.suffix}")
        self.end = time.monotonic() + seconds
        self.counts = {"inputs": 0, "accepted": 0, "refused": 0, "slowest": 0.0}
        self.faults = {}
        self.base = None

    def mib(self):
        """Peak memory of this process above what it had before the first input."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self.base = peak if self.base is None else self.base
        return peak - self.base

    def one(self, data):
        """Reads one input; the last one ends the process."""
        peak = self.mib()
        # A new file: ext4 writes one to the disk that replaces its content.
        Path(self.path).unlink(missing_ok=True)
        Path(self.path).write_bytes(self.target.file(data))
        began = time.monotonic()
        fault = self.outcome()
        seconds = time.monotonic() - began
        self.counts["inputs"] += 1
        self.counts["slowest"] = max(self.counts["slowest"], seconds)
        if seconds > SECONDS:
            fault = f"takes {seconds:.1f} s"
        elif self.mib() > max(MIB, peak):
            fault = f"takes {self.mib():.0f} MiB"
        if fault:
            self.keep(fault, Path(self.path).read_bytes())
        if began > self.end or self.counts["inputs"] % 1000 == 1:
            self.report()
        if began > self.end:
            os._exit(0)

    def outcome(self):
        """Reads the file; what is wrong about that, or None."""
        try:
            self.target.read(self.path)
        except InputError as error:
            self.counts["refused"] += 1
            text = str(error)
            if not text.isprintable() or len(text) > 2000 or not re.search("; (accepted|needed)", text):
                return f"message: {text[:200]!r}"
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {str(error)[:100]}"
        else:
            self.counts["accepted"] += 1
        return None

    def keep(self, fault, content):
        """Notes a fault, once per kind, with its smallest input."""
        kind = " ".join(fault.split()[:3])
        path = self.found / f"{self.name}-{hashlib.sha256(kind.encode()).hexdigest()[:8]}{self.target.suffix}"
        if kind not in self.faults or len(content) < path.stat().st_size:
            path.write_bytes(content)
            self.faults[kind] = (fault, str(path))

    def report(self):
        """Writes report.json."""
        contents = self.counts | {"mib": self.mib(), "faults": dict(self.faults.values())}
        (self.folder / "report.json").write_text(json.dumps(contents))


def work(name, seconds, seed, folder, found):
    """Fuzzes target `name` for so many `seconds`, then ends the process.

    `report.json` in `folder` counts inputs and names the faults, the file `input` is what it is at; `found`
    keeps the smallest input of each fault.
    """
    worker = Worker(name, TARGETS[name], float(seconds), folder, found)
    corpus = Path(folder, "corpus")
    corpus.mkdir()
    for number, content in enumerate(worker.target.seeds()):
        (corpus / str(number)).write_bytes(content)
    words = Path(folder, "words")
    escaped = ("".join(f"\\x{byte:02x}" for byte in token) for token in worker.target.tokens)
    words.write_text("# tokens\n" + "".join(f'"{token}"\n' for token in escaped))
    options = [f"-seed={seed}", f"-max_len={LONGEST}", f"-dict={words}", "-timeout=20", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(corpus)], worker.one)
    atheris.Fuzz()
