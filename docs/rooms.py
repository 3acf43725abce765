"""The map of the rooms, from the imports as they are: which package takes what from which.

    python docs/rooms.py > docs/images/rooms.svg

A package stands above those that it imports from. Of arrows that others imply only those are drawn that
nothing between the two implies; every package may also take from the rooms below its own.
"""

import ast
from collections import Counter
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("golden", "hw", "sim", "synth", "cli")
WIDTH, BOX, GAP, LEVEL, BAND = 760, (118, 40), 14, 74, 26
COLORS = {"cli": "#f3e9d8", "synth": "#e3edda", "sim": "#dcebf2", "hw": "#e9e2f2", "golden": "#f6e3d8"}


def sources():
    """(module, path) of every file of the rooms but the faces, which only hand names on."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if path.name != "__init__.py":
                yield module, path


MODULES = dict(sources())


def targets(module, tree):
    """Modules of ours that `module` imports, anywhere in it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level:
            base = [*module.split(".")[: -node.level], *filter(None, [node.module])]
        elif (node.module or "").split(".")[0] == "dorefa":
            base = node.module.split(".")[1:]
        else:
            continue
        for name in node.names:
            inner = ".".join([*base, name.name])
            yield inner if inner in MODULES else ".".join(base)


def runtime(tree):
    """The tree without what only type checkers import."""
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and _is_typing(node.test))]
    return tree


def _is_typing(test):
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def graph_of(prepare=lambda tree: tree):
    """Module -> the modules it imports, of trees that `prepare` returns."""
    return {
        module: set(targets(module, prepare(ast.parse(path.read_text())))) for module, path in MODULES.items()
    }


def package(module):
    """The package of a module; of a face, which is a package, itself."""
    return module.rpartition(".")[0] if module in MODULES else module


def arrows():
    """Package -> packages of its own room that it imports from."""
    result = {package(module): set() for module in MODULES}
    for module, imported in graph_of().items():
        own = package(module)
        for target in imported:
            other = package(target)
            if other != own and other in result and other.split(".")[0] == own.split(".")[0]:
                result[own].add(other)
    return result


def room_arrows():
    """Room -> rooms that it imports from."""
    result = {room: set() for room in ROOMS}
    for module, imported in graph_of().items():
        result[module.split(".")[0]] |= {target.split(".")[0] for target in imported}
    return {room: ends - {room} for room, ends in result.items()}


def _below(arrows, start):
    """Everything that can be reached from `start`."""
    found, waiting = set(), list(arrows[start])
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += arrows[at]
    return found


def reduced(arrows):
    """The arrows that no others imply."""
    return {
        own: {end for end in ends if not any(end in _below(arrows, other) for other in ends - {end})}
        for own, ends in arrows.items()
    }


def _levels(room, arrows):
    """Packages of a room from the top down: each above all that it imports from."""
    height = {}

    def visit(name):
        if name not in height:
            height[name] = 1 + max(map(visit, arrows[name]), default=-1)
        return height[name]

    names = [name for name in arrows if name.split(".")[0] == room]
    for name in names:
        visit(name)
    return [
        [name for name in names if height[name] == level] for level in range(max(height.values()), -1, -1)
    ]


def draw():
    """The map as SVG."""
    every, counts = arrows(), Counter(map(package, MODULES))
    lines, boxes, bands, top = reduced(every), {}, [], 10
    for room in reversed(ROOMS):
        levels = [level for level in _levels(room, every) if level]
        height = LEVEL * (len(levels) - 1) + BOX[1] + 2 * BAND
        bands.append((room, top, height))
        for row, level in enumerate(levels):
            left = 100 + (WIDTH - 110 - len(level) * (BOX[0] + GAP)) / 2
            for place, name in enumerate(level):
                boxes[name] = left + place * (BOX[0] + GAP), top + BAND + row * LEVEL
        top += height + 22
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
        'font-family="sans-serif" font-size="13">',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 8 4 0 8z" fill="#666"/></marker></defs>',
    ]
    for room, y, height in bands:
        parts.append(
            f'<rect x="10" y="{y}" width="{WIDTH - 20}" height="{height}" rx="8" fill="{COLORS[room]}"/>'
        )
        parts.append(f'<text x="22" y="{y + 26:g}" font-size="18">{room}/</text>')
    at = {room: (y, y + height) for room, y, height in bands}
    ways = [(own, end) for own, ends in reduced(room_arrows()).items() for end in sorted(ends)]
    for number, (own, end) in enumerate(ways):
        parts.append(_line(96 + 12 * number, at[own][1], 96 + 12 * number, at[end][0]))
    for own, ends in lines.items():
        for end in sorted(ends):
            (x, y), (to_x, to_y) = boxes[own], boxes[end]
            parts.append(_line(x + BOX[0] / 2, y + BOX[1], to_x + BOX[0] / 2, to_y))
    for name, (x, y) in boxes.items():
        title = name.partition(".")[2] or name
        parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{BOX[0]}" height="{BOX[1]}" rx="5" fill="white" '
            'stroke="#555"/>'
            f'<text x="{x + BOX[0] / 2:g}" y="{y + 17:g}" text-anchor="middle">{escape(title)}</text>'
            f'<text x="{x + BOX[0] / 2:g}" y="{y + 33:g}" text-anchor="middle" font-size="11" fill="#666">'
            f"{counts[name]} modules</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def _line(x, y, to_x, to_y):
    return f'<line x1="{x:g}" y1="{y:g}" x2="{to_x:g}" y2="{to_y - 1:g}" stroke="#666" marker-end="url(#a)"/>'


if __name__ == "__main__":
    print(draw(), end="")
