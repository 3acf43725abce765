"""`dorefa report`: a page that needs nothing else, made of what `check` reports."""

import dataclasses
import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from dorefa.golden import random_network
from dorefa.golden.network import npz

PIPELINE = ("--architecture", "pipeline", "--effort", 0)


def embedded(text):
    """The report in a page."""
    return json.loads(html.unescape(re.search(r'<pre id="json">(.*?)</pre>', text, re.DOTALL)[1]))


class Links(HTMLParser):
    """References of a page to other files."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href", "data")]


def without_files(report):
    return {name: value for name, value in report.items() if name != "files"}


@pytest.mark.parametrize(
    "options", [(), ("--lanes", 16, "--rows", 4), PIPELINE, ("--architecture", "hybrid")]
)
def test_page(options, dorefa, small_pipeline, tmp_path):
    path = tmp_path / "r.html"
    outcome = dorefa("report", small_pipeline, *options, "-o", path, "--json", "-")
    assert outcome.status == 0 and f"wrote {path}" in outcome.err
    checked = dorefa("check", small_pipeline, *options, "--json", "-").report
    assert without_files(outcome.report) == checked and outcome.report["files"] == [str(path)]
    text = path.read_text()
    assert embedded(text) == checked
    # Nothing is fetched.
    assert not Links(text).found
    assert f"{checked['interval_cycles']:,}" in text and f"{checked['latency_cycles']:,}" in text
    assert f"{1e8 / checked['interval_cycles']:,.1f}" in text
    documents = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)[1]
    tables = json.dumps(json.loads(html.unescape(documents)))
    assert all(f'"{layer["name"]}"' in tables for layer in checked["layers"])
    assert ("load_begin" in tables) == ("--architecture" not in options)


def test_of_what_does_not_run(dorefa, tmp_path):
    path = tmp_path / "r.html"
    outcome = dorefa("report", "digits", "--w-bits", 1, "-o", path)
    assert "digits does not run on this engine: layer fc1: w_bits is 1" in outcome.error
    text = path.read_text()
    assert "It does not run so." in text and "layer fc1: w_bits is 1" in text and "--w-bits 8" in text
    assert embedded(text)["supported"] is False
    refused = dorefa("report", "svhn-a", *PIPELINE, "-o", path)
    assert "does not run as a pipeline" in refused.error
    assert "1,638,400 weights" in path.read_text()


def test_names_are_text(dorefa, tmp_path):
    """Those of a file are of whoever wrote it."""
    network = random_network(3, conv_layers=1, a_bits=2, max_macs=20_000, max_size=6)
    names = "<img src=x onerror=alert(1)></script>", "loading"
    layers = [
        dataclasses.replace(layer, name=name) for layer, name in zip(network.layers, names, strict=False)
    ]
    hostile = dataclasses.replace(
        network, name="<script>alert(2)</script>", layers=(*layers, *network.layers[2:])
    )
    npz.save(hostile, tmp_path / "n.npz")
    outcome = dorefa("report", tmp_path / "n.npz", "-o", tmp_path / "r.html")
    assert outcome.status == 0, outcome
    text = (tmp_path / "r.html").read_text()
    assert "<img src=x" not in text and "<script>alert" not in text


def test_refusals(dorefa, small_pipeline, tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    assert dorefa("report", small_pipeline).status == 2
    refused = dorefa("report", small_pipeline, "-o", tmp_path / "none" / "r.html").error
    assert refused.startswith(f"{tmp_path / 'none' / 'r.html'}: ")
    error = dorefa("report", "nothing", "-o", path).error
    assert "nothing" in error and not path.exists()
    assert (
        "--device is X; accepted: only with"
        in dorefa("report", small_pipeline, "-o", path, "--device", "X").error
    )
    same = dorefa("report", small_pipeline, "-o", small_pipeline).error
    assert same.startswith(f"{small_pipeline}: is ") and "accepted" in same
    import importlib.util

    own = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "bokeh" else own(name, *rest)
    )
    assert (
        dorefa("report", small_pipeline, "-o", path).error
        == "bokeh is missing; accepted: pip install 'dorefa[report]'"
    )
    assert not path.exists()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
@pytest.mark.parametrize("size", ["1200,900", "400,900"])
def test_in_a_browser(size, dorefa, small_pipeline, tmp_path):
    """It draws without an error, wide and narrow."""
    assert dorefa("report", small_pipeline, "-o", tmp_path / "r.html").status == 0
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
    ]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'user'}"]
    flags += ["--enable-logging=stderr", "--virtual-time-budget=8000", f"--window-size={size}", "--dump-dom"]
    done = subprocess.run(
        ["chromium", *flags, f"file://{tmp_path / 'r.html'}"], capture_output=True, text=True, timeout=120
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert any("document idle" in line for line in said), done.stderr
    assert not [line for line in said if re.search(r"rror|not built|warn", line)]
