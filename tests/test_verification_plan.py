"""The verification plan is complete and true: docs/verification.toml against the hardware and the tests."""

import copy
import dataclasses
import runpy
from pathlib import Path

import pytest

from dorefa.hw.config.engine import PRESETS, EngineConfig

ROOT = Path(__file__).parents[1]
_PLAN = runpy.run_path(str(ROOT / "docs" / "verification_plan.py"))
load, components, problems, outcomes, proofs, unrun = (
    _PLAN[name] for name in ("load", "components", "problems", "outcomes", "proofs", "unrun")
)
PARAMETERS = {field.name for field in dataclasses.fields(EngineConfig)}


def gaps(plan, hardware=None):
    return [*problems(plan, hardware or components(), PARAMETERS, {*PRESETS})]


def test_the_plan_is_complete():
    assert gaps(load()) == []


def test_components_are_those_of_the_hardware():
    assert {"Engine", "DotUnit", "NoiseSource", "SerialHost"} <= components() and len(components()) > 35


def without(kind, name):
    """The plan in which no feature has that component or parameter."""
    plan = load()
    for feature in plan["feature"]:
        feature[kind] = [own for own in feature[kind] if own != name]
    return plan


@pytest.mark.parametrize(
    ("kind", "name"), [("components", "Issue"), ("parameters", "batch"), ("parameters", "results")]
)
def test_what_no_feature_has_is_found(kind, name):
    expected = f"{kind}: {name} is in no feature; accepted: a place in the plan for each"
    assert gaps(without(kind, name)) == [expected]


def test_a_new_component_is_found():
    expected = "components: Sentinel is in no feature; accepted: a place in the plan for each"
    assert gaps(load(), components() | {"Sentinel"}) == [expected]


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        (["tests/hw/engine/test_nothing.py"], "tests/hw/engine/test_nothing.py is no file"),
        (["tests/hw/engine/test_engine.py::test_no"], "tests/hw/engine/test_engine.py has no test_no"),
        ([], "a point without words or tests: {'what': 'planted', 'tests': []}"),
    ],
)
def test_tests_that_are_not_there_are_found(tests, message):
    plan = load()
    plan["feature"][0]["points"].append({"what": "planted", "tests": tests})
    assert gaps(plan) == [f"{plan['feature'][0]['name']}: {message}"]


def test_other_faults_of_a_plan_are_found():
    plan = load()
    first, second = plan["feature"][:2]
    second["components"].append(first["components"][0])
    second["parameters"].append("speed")
    second["waivers"] = ["nobody knows"]
    name = plan["preset"].pop()["name"]
    assert gaps(plan) == [
        f"components: {first['components'][0]} is in the plan twice",
        "parameters: speed does not exist",
        f"presets: {name} is in no feature; accepted: a place in the plan for each",
        f"{second['name']}: waiver 'nobody knows'; accepted: what is not tested, a colon, why",
    ]


def test_the_tables_in_the_documentation_are_those_of_the_plan():
    page = (ROOT / "docs" / "verification.md").read_text()
    lines = "\n".join(_PLAN["tables"](load()))
    assert lines in page, "accepted: the output of python docs/verification_plan.py"


CASE = '<testcase classname="tests.a.test_b" name="{name}">{inside}</testcase>'


def reported(tmp_path, **cases):
    """The outcomes of a report with these cases of tests/a/test_b.py."""
    path = tmp_path / "tests.xml"
    lines = [CASE.format(name=name, inside=inside) for name, inside in cases.items()]
    path.write_text(f"<testsuites><testsuite>{''.join(lines)}</testsuite></testsuites>")
    return outcomes(path)


def test_what_ran_is_compared_with_the_plan(tmp_path):
    (tmp_path / "tests" / "a").mkdir(parents=True)
    marks = "import pytest\n@pytest.mark.slow\ndef test_slow(): pass\n"
    (tmp_path / "tests" / "a" / "test_b.py").write_text(
        f"def test_one(): pass\ndef test_two(): pass\n{marks}"
    )
    point = {"what": "all", "tests": ["tests/a/test_b.py"]}
    plan = {"feature": [{"name": "f", "points": [point]}], "preset": []}

    def told(**cases):
        return [*unrun(plan, reported(tmp_path, **cases), tmp_path)]

    assert told(test_one="", test_two="<properties/>") == []
    assert told(test_one="") == ["f: tests/a/test_b.py::test_two did not run"]
    assert told(test_one="", test_two="<failure/>") == ["f: tests/a/test_b.py::test_two failed"]
    assert told(test_one="", test_two="<skipped/>") == ["skipped: f: tests/a/test_b.py::test_two"]
    later = copy.deepcopy(plan)
    later["feature"][0]["points"][0]["slow"] = True
    assert [*unrun(later, {}, tmp_path)] == []


def test_cases_of_a_parameter_are_one_test(tmp_path):
    case = CASE.format(name="test_one[1-a::b]", inside="") + CASE.format(
        name="test_one[2]", inside="<error/>"
    )
    (tmp_path / "tests.xml").write_text(f"<testsuites>{case}</testsuites>")
    assert outcomes(tmp_path / "tests.xml") == {"tests/a/test_b.py::test_one": {"passed", "failed"}}


def test_proofs_are_counted(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a_proof.py").write_text("bench.cover('one', 1)\ncover(2)\n")
    names = {"test_rules[1]": "", "test_rules[2]": "<failure/>", "test_planted_faults_are_found[1]": ""}
    cases = [CASE.format(name=name, inside=inside) for name, inside in names.items()]
    text = "".join(cases).replace("test_b", "test_a_proof") + CASE.format(name="test_other", inside="")
    (tmp_path / "tests.xml").write_text(f"<testsuites>{text}</testsuites>")
    told = proofs(tmp_path / "tests.xml", tmp_path)
    assert told == "1 proofs, 1 planted faults refuted, 1 covers declared"
