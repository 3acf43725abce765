"""The verification plan: what is wrong with it, its tables, and whether its tests ran.

    python docs/verification_plan.py                     prints the tables of docs/verification.md
    python docs/verification_plan.py ran .venv/tests.xml   compares it with what pytest ran (--junitxml)

The plan is docs/verification.toml. Status 1 where something is wrong, one line each.
"""

import ast
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[1]
PLAN = Path(__file__).with_name("verification.toml")


def load(path=PLAN):
    """The plan as data."""
    return tomllib.loads(path.read_text())


def components(root=ROOT):
    """Names of the components of the hardware: classes on Amaranth's Component."""
    return {
        node.name
        for path in (root / "hw").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(getattr(base, "attr", getattr(base, "id", None)) == "Component" for base in node.bases)
    }


def functions(path, left_out=frozenset()):
    """{test function of a file: whether it is slow as a whole, by its mark or being in `left_out`}."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            slow = any("mark.slow" in ast.unparse(mark) for mark in node.decorator_list)
            found[node.name] = slow or node.name in left_out
    return found


def left_out(test, root=ROOT):
    """Functions of a file of tests of which make test has no case, by tests/budget.toml."""
    room, _, file = test.removeprefix("tests/").partition("/")
    budget = root / "tests" / "budget.toml"
    counts = tomllib.loads(budget.read_text()).get(room, {}) if budget.exists() else {}
    own = {name.rpartition("::") for name, cases in counts.items() if not cases}
    return {function for path, _, function in own if path == file}


def points(plan):
    """(name of its feature or preset, point) of all points."""
    for kind in ("feature", "preset"):
        for own in plan[kind]:
            yield from ((own["name"], point) for point in own["points"])


def problems(plan, hardware, parameters, presets, root=ROOT):
    """One line per gap: tests that are not there; components, engine parameters and presets without a place,
    with several, or of that name nowhere; features and waivers without content."""
    for where, point in points(plan):
        if not point["what"] or not point["tests"]:
            yield f"{where}: a point without words or tests: {point}"
        for test in point["tests"]:
            yield from _test_problems(where, test, root)
    for kind, known in (("components", hardware), ("parameters", parameters)):
        named = [name for feature in plan["feature"] for name in feature[kind]]
        yield from _listed(kind, named, known)
    yield from _listed("presets", [preset["name"] for preset in plan["preset"]], presets)
    for own in [*plan["feature"], *plan["preset"]]:
        if not own["points"]:
            yield f"{own['name']}: no points; accepted: at least one"
        for waiver in own.get("waivers", ()):
            if ":" not in waiver or not all(map(str.strip, waiver.split(":", 1))):
                yield f"{own['name']}: waiver {waiver!r}; accepted: what is not tested, a colon, why"


def _test_problems(where, test, root):
    name, _, function = test.partition("::")
    path = root / name
    if not path.is_file():
        yield f"{where}: {name} is no file"
    elif function and function not in functions(path):
        yield f"{where}: {name} has no {function}"


def _listed(kind, named, known):
    for name in sorted(known - {*named}):
        yield f"{kind}: {name} is in no feature; accepted: a place in the plan for each"
    for name in sorted({*named} - known):
        yield f"{kind}: {name} does not exist"
    for name in sorted({name for name in named if named.count(name) > 1}):
        yield f"{kind}: {name} is in the plan twice"


def tables(plan):
    """The lines of the plan in docs/verification.md."""
    for kind, title in (("feature", "feature"), ("preset", "preset")):
        yield f"| {title} | test points | tests |"
        yield "|---|---|---|"
        for own in plan[kind]:
            for number, point in enumerate(own["points"]):
                tests = ", ".join(f"`{test.replace('::', '` `')}`" for test in point["tests"])
                what = point["what"] + (" (slow)" if point.get("slow") else "")
                yield f"| {'' if number else own['name']} | {what} | {tests} |"
        yield ""
    yield "Not verified:"
    yield ""
    for own in [*plan["feature"], *plan["preset"]]:
        yield from (f"- {own['name']}: {waiver}" for waiver in own.get("waivers", ()))


def outcomes(report):
    """{FILE::FUNCTION: outcomes of its cases, passed, skipped or failed} of a report of pytest's."""
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        file = case.get("classname").replace(".", "/") + ".py"
        found.setdefault(f"{file}::{case.get('name').partition('[')[0]}", set()).add(_outcome(case))
    return found


def _outcome(case):
    kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
    return "passed" if not kinds else "skipped" if kinds == {"skipped"} else "failed"


def proofs(report, root=ROOT):
    """What ran of proofs, in one line: those of components, and planted faults that they refute; covers, runs
    that show that a proof is about something, as often as they are written down."""
    names = [
        case.get("name")
        for case in ElementTree.parse(report).iter("testcase")
        if case.get("classname").endswith("_proof") and _outcome(case) == "passed"
    ]
    planted = sum("planted" in name for name in names)
    covers = sum(
        isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "cover"
        for path in (root / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
    )
    return f"{len(names) - planted} proofs, {planted} planted faults refuted, {covers} covers declared"


def unrun(plan, found, root=ROOT):
    """One line per test of a point that is not slow which did not run, or failed; skipped ones are told too,
    marked as such."""
    for where, point in points(plan):
        for test in () if point.get("slow") else point["tests"]:
            name, _, function = test.partition("::")
            asked = (
                [function]
                if function
                else [own for own, slow in functions(root / name, left_out(name, root)).items() if not slow]
            )
            for each in asked:
                told = found.get(f"{name}::{each}", set())
                if told == {"skipped"}:
                    yield f"skipped: {where}: {name}::{each}"
                elif "failed" in told or "passed" not in told:
                    yield f"{where}: {name}::{each} {'failed' if told else 'did not run'}"


def main(arguments):
    plan = load()
    if arguments[:1] == ["ran"] and len(arguments) == 2:
        lines = [*unrun(plan, outcomes(arguments[1]))]
        print(proofs(arguments[1]))
        print("\n".join(lines) if lines else f"every one of {len([*points(plan)])} points ran")
        return any(not line.startswith("skipped: ") for line in lines)
    if arguments:
        print(__doc__)
        return 2
    print("\n".join(tables(plan)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
