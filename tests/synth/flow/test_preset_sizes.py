"""Expected size of every component of whole engines for the pinned Yosys.

A change of these numbers is a change of what users get: edit them with the reason in the commit. What a
test finds is printed in the form in which it is expected here.
"""

import pytest

from dorefa.hw.config.engine import preset
from dorefa.synth.flow import report, yosys
from dorefa.synth.flow.units import make_unit

# {(preset, target): {component: (LUTs, flip-flops, block RAMs) of all its instances}}
EXPECTED = {
    ("tiny", "ecp5"): {
        "dorefa_core": (38, 68, 0),
        "dot": (112, 76, 0),
        "dot_popcount": (148, 0, 0),
        "host": (62, 127, 0),
        "packer": (27, 67, 0),
        "results": (26, 48, 0),
        "sequencer": (106, 613, 1),
        "slice*": (2, 221, 0),
        "slice*_array": (0, 10, 0),
        "slice*_drain": (89, 173, 0),
        "slice*_drain_position": (175, 54, 0),
        "slice*_feature": (202, 155, 2),
        "slice*_issue": (163, 56, 0),
        "slice*_patch": (17, 50, 1),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (75, 116, 0),
        "slice*_pool_y": (157, 133, 0),
        "slice*_quantizer": (170, 135, 1),
        "slice*_run_generator": (211, 177, 0),
        "slice*_weights": (0, 64, 4),
        "slice*_window_reader": (229, 273, 0),
    },
    ("tiny", "ice40"): {
        "dorefa_core": (38, 68, 0),
        "dot": (112, 76, 0),
        "dot_popcount": (144, 0, 0),
        "host": (64, 127, 0),
        "packer": (26, 67, 0),
        "results": (26, 48, 0),
        "sequencer": (101, 613, 2),
        "slice*": (2, 221, 0),
        "slice*_array": (0, 10, 0),
        "slice*_drain": (85, 173, 0),
        "slice*_drain_position": (158, 54, 0),
        "slice*_feature": (188, 155, 4),
        "slice*_issue": (157, 56, 0),
        "slice*_patch": (18, 50, 2),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (7, 114, 1),
        "slice*_pool_y": (15, 131, 1),
        "slice*_quantizer": (30, 121, 2),
        "slice*_run_generator": (147, 139, 3),
        "slice*_weights": (4, 64, 4),
        "slice*_window_reader": (253, 273, 0),
    },
    ("lean", "ecp5"): {
        "dorefa_core": (38, 68, 0),
        "dot": (992, 992, 0),
        "dot_popcount": (3136, 1600, 0),
        "host": (115, 205, 0),
        "packer": (119, 461, 0),
        "results": (91, 345, 0),
        "sequencer": (119, 699, 1),
        "slice*": (2, 253, 0),
        "slice*_array": (0, 2143, 0),
        "slice*_drain": (359, 1479, 0),
        "slice*_drain_position": (178, 54, 0),
        "slice*_feature": (207, 155, 4),
        "slice*_issue": (202, 69, 0),
        "slice*_patch": (72, 194, 4),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (171, 167, 0),
        "slice*_pool_y": (30, 176, 1),
        "slice*_quantizer": (176, 663, 12),
        "slice*_run_generator": (231, 198, 0),
        "slice*_weights": (0, 2048, 128),
        "slice*_window_reader": (260, 324, 0),
    },
    ("default", "ecp5"): {
        "dorefa_core": (38, 68, 0),
        "dot": (1280, 864, 0),
        "dot_popcount": (5248, 0, 0),
        "host": (115, 207, 0),
        "packer": (65, 349, 0),
        "results": (84, 315, 0),
        "sequencer": (120, 702, 1),
        "slice*": (2, 247, 0),
        "slice*_array": (0, 10, 0),
        "slice*_drain": (333, 1350, 0),
        "slice*_drain_position": (179, 54, 0),
        "slice*_feature": (1805, 1070, 20),
        "slice*_issue": (200, 67, 0),
        "slice*_patch": (2184, 966, 4),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (171, 164, 0),
        "slice*_pool_y": (30, 173, 1),
        "slice*_quantizer": (160, 604, 8),
        "slice*_run_generator": (231, 204, 0),
        "slice*_weights": (0, 2048, 128),
        "slice*_window_reader": (537, 577, 0),
    },
    ("fixed_point", "ecp5"): {
        "dorefa_core": (38, 68, 0),
        "dot": (3663, 1155, 0),
        "dot_popcount": (5412, 0, 0),
        "host": (113, 238, 0),
        "packer": (119, 349, 0),
        "results": (50, 239, 0),
        "sequencer": (120, 708, 1),
        "slice*": (2, 249, 0),
        "slice*_array": (0, 10, 0),
        "slice*_drain": (648, 1918, 0),
        "slice*_drain_position": (175, 54, 0),
        "slice*_feature": (1801, 1070, 30),
        "slice*_issue": (320, 105, 0),
        "slice*_patch": (643, 582, 16),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (67, 276, 1),
        "slice*_pool_y": (75, 293, 1),
        "slice*_quantizer": (2247, 1496, 12),
        "slice*_run_generator": (233, 204, 0),
        "slice*_weights": (0, 2048, 512),
        "slice*_window_reader": (537, 577, 0),
    },
    ("wide", "ecp5"): {
        "dorefa_core": (38, 68, 0),
        "dot": (1280, 928, 0),
        "dot_popcount": (21472, 0, 0),
        "host": (134, 416, 0),
        "packer": (179, 699, 0),
        "results": (186, 644, 0),
        "sequencer": (133, 673, 1),
        "slice*": (2, 252, 0),
        "slice*_array": (0, 10, 0),
        "slice*_drain": (241, 1346, 0),
        "slice*_drain_position": (179, 54, 0),
        "slice*_feature": (3864, 2128, 38),
        "slice*_issue": (189, 63, 0),
        "slice*_patch": (8719, 3846, 16),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (42, 199, 1),
        "slice*_pool_y": (50, 216, 1),
        "slice*_quantizer": (320, 1184, 16),
        "slice*_run_generator": (242, 210, 0),
        "slice*_weights": (0, 8192, 256),
        "slice*_window_reader": (895, 912, 0),
    },
}

# The others take minutes.
SAMPLE = (pytest.mark.slow, pytest.mark.sample)
MARKS = {("tiny", "ecp5"): (), ("lean", "ecp5"): SAMPLE}


def found(name, target, folder):
    """Components of the engine without AXI, as `dorefa synth --unit core` counts them."""
    unit = make_unit("core", preset(name), target)
    statistics = yosys.synthesize(unit.write(folder), top=unit.top, target=target)
    lines = report.components(statistics["hierarchical"], unit.top, target)
    return {line["name"]: (line["luts"], line["ffs"], line["brams"]) for line in lines}


@pytest.mark.parametrize(
    "name, target",
    [pytest.param(*case, marks=MARKS.get(case, pytest.mark.slow)) for case in EXPECTED],
)
def test_components(name, target, tmp_path):
    sizes = found(name, target, tmp_path)
    print("\n".join(f'        "{component}": {size},' for component, size in sizes.items()))
    assert sizes == EXPECTED[name, target]
