"""The guide lists exactly the operators that the import supports."""

from pathlib import Path

from dorefa.golden.onnx.operators import SUPPORTED


def test_the_guide_lists_the_supported_operators():
    text = (Path(__file__).parents[3] / "docs" / "qonnx.md").read_text()
    section = text.split("## Operators\n")[1].strip().split("\n\n")[0]
    assert section.replace("\n", " ").split(", ") == list(SUPPORTED)
