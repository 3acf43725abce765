"""The page of `dorefa report`: text around Bokeh's charts and tables, in one file that needs no other."""

from __future__ import annotations

import html
import importlib.util
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dorefa.golden.errors import InputError
from dorefa.golden.lowering.integer_network import IntegerNetwork
from dorefa.hw.verilog.export import tool_versions

_CLOCKS = (12, 25, 50, 100, 150)  # MHz
_TEMPLATE = """
{% block title %}{{ heading }}{% endblock %}
{% block preamble %}
<style>
  :root { color-scheme: light dark; }
  body { background: #fff; color: #1b2a33; }
  main { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
  h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
  table.plain { border-collapse: collapse; } table.plain td, table.plain th
    { padding: .15rem .8rem .15rem 0; text-align: right; border-bottom: 1px solid #8884; }
  table.plain td:first-child, table.plain th:first-child { text-align: left; }
  .wide { overflow-x: auto; } code, pre { font-size: .9em; } pre { overflow-x: auto; }
  .no { color: #b3261e; font-weight: 600; } .yes { color: #1b6e3a; font-weight: 600; }
  @media (prefers-color-scheme: dark) { body { background: #14191d; color: #dfe6ea; }
    .no { color: #ff8a80; } .yes { color: #7fd6a0; } }
</style>
{% endblock %}
{% block contents %}
<main>
<h1>{{ heading }}</h1>
<p>{{ verdict }}</p>
{{ summary }}
{% for section in sections %}
<h2>{{ section.title }}</h2>
<p>{{ section.text }}</p>
<div class="wide">{{ embed(roots[section.root]) }}</div>
{% endfor %}
<h2>All of it</h2>
<p>Command: <code>dorefa {{ command }}</code>. Made with {{ versions }}.</p>
<details><summary>The report as JSON</summary><pre id="json">{{ report }}</pre></details>
</main>
{% endblock %}
"""


def page(network: IntegerNetwork, report: Mapping[str, Any], *, command: str) -> str:
    """HTML of a report of `dorefa check` about `network`, without a reference to any other file; command: the
    arguments it was made with. Raises :class:`InputError` where Bokeh is missing."""
    if importlib.util.find_spec("bokeh") is None:
        raise InputError("bokeh is missing; accepted: pip install 'dorefa[report]'")
    from bokeh.embed import file_html
    from bokeh.resources import INLINE

    from . import charts

    sections = charts.sections(network, report)
    for section in sections:
        section.model.name = section.root
    architecture = report.get("architecture", "engine")
    heading = f"{network.name} on {'an' if architecture == 'engine' else 'a'} {architecture}"
    text: str = file_html(
        [section.model for section in sections],
        INLINE,
        title=heading,
        template=_TEMPLATE,
        template_variables={
            "heading": html.escape(heading),
            "verdict": _verdict(report),
            "summary": _summary(report),
            "sections": sections,
            "command": html.escape(command),
            "versions": ", ".join(f"{name} {version}" for name, version in tool_versions().items()),
            "report": html.escape(json.dumps(report, indent=2)),
        },
    )
    return text


def _verdict(report: Mapping[str, Any]) -> str:
    if report["supported"]:
        return '<span class="yes">It runs</span>; cycles are exact where no port waits.'
    problems = "".join(f"<li>{html.escape(problem)}</li>" for problem in report["problems"])
    nearest = report.get("nearest")
    change = ""
    if nearest:
        options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in nearest.items())
        change = f"<p>The nearest engine that runs it: <code>{html.escape(options)}</code></p>"
    return f'<span class="no">It does not run so.</span><ul>{problems}</ul>{change}'


def _summary(report: Mapping[str, Any]) -> str:
    """What a reader wants to know first, as tables of HTML."""
    if not report["supported"]:
        return ""
    interval, latency = report["interval_cycles"], report["latency_cycles"]
    rows: list[tuple[str, ...]] = [
        ("cycles from an image to the next one, loading included", f"{interval:,.0f}"),
        ("cycles from an image's first byte to its last result", f"{latency:,}"),
    ]
    if report.get("cycles_estimate") is not None:
        rows.append(("cycles of the layers alone", f"{report['cycles_estimate']:,.0f}"))
    for name, meaning in (
        ("cells", "logic cells, predicted"),
        ("brams", "block RAMs, predicted"),
        ("memory_bits", "bits of memory that the network fills"),
        ("stream_bytes", "bytes of weights that stream in for an image"),
        ("trunk_stream_bytes", "bytes of residual trunks that stream out and in for an image"),
    ):
        if report.get(name):
            rows.append((meaning, f"{report[name]:,.0f}"))
    rates = [
        (f"{clock} MHz", f"{1e6 * clock / interval:,.1f}", f"{latency / clock:,.1f}") for clock in _CLOCKS
    ]
    rate_header = ("at a clock of", "images a second", "microseconds an image")
    return _table(("", ""), rows) + "<p></p>" + _table(rate_header, rates)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["".join(f"<th>{html.escape(cell)}</th>" for cell in header)] if any(header) else []
    lines += ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    return '<table class="plain">' + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
