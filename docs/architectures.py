# amaranth: UnusedElaboratable=no
"""Both architectures in one picture: what they are made of, and what they do in the same time.

    python docs/architectures.py > docs/images/architectures.svg

Structures and times are those of `digits-small` on an engine of 32 lanes x 16 rows, and as a pipeline of a
pixel a cycle for ECP5, as compiled and planned here.
"""

from html import escape

from dorefa.golden import lower
from dorefa.golden.zoo import catalog
from dorefa.hw import compile_network, fit
from dorefa.hw.pipeline.plan import make_plan
from dorefa.hw.pipeline.rom.stage import RomStage

NETWORK, LANES, ROWS = "digits-small", 32, 16
WIDTH = 760
DARK, LINE, BAND, PALE = "#1f2d3d", "#444444", "#f3f3f3", "#ffffff"
COLORS = ("#f3e9d8", "#e3edda", "#dcebf2", "#e9e2f2")  # of the layers


def text(x, y, words, *, size=11.0, anchor="middle", bold=False):
    """Words around a place, or from it, or up to it."""
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}" fill="{DARK}"{weight}>'
        f"{escape(words)}</text>"
    )


def box(x, y, width, height, title="", *lines, fill=PALE):
    """A box with a title and lines of small text in its middle."""
    middle, rows = x + width / 2, len(lines) + bool(title)
    top = y + height / 2 - 7 * (rows - 1) + 4
    words = [text(middle, top, title, size=12, bold=True)] if title else []
    words += [text(middle, top + 14 * (row + bool(title)), line, size=10.5) for row, line in enumerate(lines)]
    frame = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="5" fill="{fill}"'
    return f'{frame} stroke="{LINE}"/>' + "".join(words)


def arrow(*points):
    """A line through places, with its head at the last one."""
    places = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{places}" fill="none" stroke="{LINE}" marker-end="url(#a)"/>'


def band(y, height, title, words):
    """The background of a part of the picture, and what it shows."""
    return (
        f'<rect x="8" y="{y:g}" width="{WIDTH - 16}" height="{height:g}" rx="8" fill="{BAND}"/>'
        + text(20, y + 22, title, size=14, anchor="start", bold=True)
        + text(20, y + 39, words, anchor="start")
    )


def engine(y, compiled):
    """The engine's blocks and ways."""
    array = f"{LANES} lanes x {ROWS} rows"
    return [
        box(64, y, 136, 62, "feature memory", "maps, bit plane", "by bit plane"),
        box(232, y, 120, 62, "window reader", "any kernel,", "stride, padding"),
        box(384, y - 6, 138, 74, "dot array", array, "AND, count, add", fill="#d5d9de"),
        box(554, y, 126, 62, "drain", "thresholds in", "a memory, pooling"),
        box(232, y + 88, 120, 44, "program", f"{len(compiled.layers)} layers in turn"),
        box(384, y + 88, 138, 44, "weight memory", "of all layers"),
        arrow((16, y + 31), (62, y + 31)),
        text(37, y + 24, "images"),
        arrow((200, y + 31), (230, y + 31)),
        arrow((352, y + 31), (382, y + 31)),
        arrow((522, y + 31), (552, y + 31)),
        arrow((292, y + 88), (292, y + 64)),
        arrow((453, y + 88), (453, y + 70)),
        arrow((617, y + 62), (617, y + 150), (132, y + 150), (132, y + 64)),
        text(140, y + 143, "codes for the next layer", anchor="start"),
        arrow((680, y + 31), (744, y + 31)),
        text(711, y + 24, "numbers"),
    ]


def stage_words(stage):
    """What stands in the boxes of a stage: memory, sums, and what is done with them."""
    layer = stage.layer
    last = "sums" if layer.is_result else "thresholds" + (", pool" if layer.pool else "")
    if isinstance(stage, RomStage):
        size = f"{stage.sizes.lanes} lanes x {stage.sizes.rows} rows"
        return ("whole map, two banks",), ("array, weights in ROM", size), (last,)
    how = "by columns" if stage.options.columns else "bit by bit" if stage.steps > 1 else "a pixel a cycle"
    return ("rows of the window",), ("weights are wires", how), (last,)


def pipeline(y, plan):
    """A stage for each layer."""
    width, gap = 138, 26
    left = (WIDTH - len(plan.stages) * (width + gap) + gap) / 2
    parts = [
        text(37, y + 62, "images"),
        text(WIDTH - 36, y + 62, "numbers"),
        arrow((16, y + 69), (left - 2, y + 69)),
        arrow((WIDTH - left, y + 69), (WIDTH - 16, y + 69)),
    ]
    for number, stage in enumerate(plan.stages):
        x = left + number * (width + gap)
        memory, sums, last = stage_words(stage)
        parts += [
            box(x, y, width, 136, fill=COLORS[number]),
            text(x + width / 2, y + 17, stage.layer.name, size=12, bold=True),
            box(x + 6, y + 26, width - 12, 24, "", *memory),
            box(x + 6, y + 58, width - 12, 40, "", *sums),
            box(x + 6, y + 106, width - 12, 24, "", *last),
        ]
        if number:
            parts.append(arrow((x - gap, y + 69), (x - 2, y + 69)))
    return parts


def bar(x, end, y, height, fill, words):
    """A time in the diagram, with words where there is room."""
    frame = f'<rect x="{x:.1f}" y="{y:g}" width="{end - x:.1f}" height="{height}" fill="{fill}"'
    inside = text(round((x + end) / 2, 1), y + height / 2 + 4, words, size=10)
    room = end - x > 7 * len(words) + 4
    return f'{frame} stroke="{LINE}" stroke-width="0.7"/>' + (inside if room else "")


def spans(plan):
    """(begin, end) of what each stage does for the first image, in cycles from its first pixel."""
    count = len(plan.stages)
    for stage, before, after in zip(
        plan.stages, *(plan.streams[at : at + count] for at in (0, 1)), strict=True
    ):
        first = before.start + int(before.causes[0]) * before.pace + before.delay
        yield before.last if isinstance(stage, RomStage) else first, after.last


def times(y, compiled, plan):
    """What both do in the time of the engine's image."""
    left, right, row = 118, WIDTH - 20, 20
    scale = (right - left) / compiled.cycles
    parts, at = [text(20, y + 14, "engine", anchor="start", bold=True)], left
    for layer, fill in zip(compiled.layers, COLORS, strict=True):
        end = at + layer.cycles * scale
        parts.append(bar(at, end, y, row, fill, layer.name))
        at = end
    parts.append(text(20, y + row + 28, "pipeline", anchor="start", bold=True))
    for number, (begin, end) in enumerate(spans(plan)):
        top = y + row + 14 + number * (row + 3)
        parts.append(text(left - 6, top + 14, plan.stages[number].layer.name, anchor="end"))
        for image in range(compiled.cycles // plan.interval + 1):
            x = left + (begin + image * plan.interval) * scale
            stop = min(right, left + (end + image * plan.interval) * scale)
            if x < right:
                parts.append(bar(x, stop, top, row, COLORS[number], str(image + 1)))
    return parts


def draw():
    """The picture as SVG."""
    network = lower(catalog.load(NETWORK, net_w=1, net_a=2))
    compiled = compile_network(network, fit(network, lanes=LANES, rows=ROWS))
    plan = make_plan(network, absorbs=True, evaluations=0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="636" viewBox="0 0 {WIDTH} 636" '
        'font-family="sans-serif">',
        f'<rect width="100%" height="100%" fill="{PALE}"/>',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 8 4 0 8z" fill="{LINE}"/></marker></defs>',
        band(8, 218, "Engine", "one array for the layers one after another; the network is in the memories"),
        *engine(62, compiled),
        band(
            234,
            204,
            "Pipeline",
            "a stage for every layer, all of them at work at once; the network is the logic",
        ),
        *pipeline(288, plan),
        band(
            446,
            182,
            f"In {compiled.cycles:,} cycles",
            f"{NETWORK}: the engine computes one image, the pipeline takes a new one every {plan.interval:,} "
            "cycles (numbers are images)",
        ),
        *times(496, compiled, plan),
    ]
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    print(draw(), end="")
