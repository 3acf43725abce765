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
        "dorefa_core": (47, 70, 0),
        "dot": (112, 76, 0),
        "dot_popcount": (148, 0, 0),
        "host": (162, 257, 0),
        "host_load_check": (200, 33, 0),
        "outlet": (15, 4, 0),
        "packer": (28, 67, 0),
        "recovery": (4, 2, 0),
        "results": (27, 48, 0),
        "sequencer": (112, 614, 1),
        "slice*": (9, 221, 0),
        "slice*_array": (1, 10, 0),
        "slice*_drain": (90, 173, 0),
        "slice*_drain_position": (178, 54, 0),
        "slice*_feature": (203, 155, 2),
        "slice*_issue": (165, 56, 0),
        "slice*_patch": (18, 50, 1),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (76, 116, 0),
        "slice*_pool_y": (158, 133, 0),
        "slice*_quantizer": (170, 135, 1),
        "slice*_run_generator": (213, 177, 0),
        "slice*_weights": (0, 64, 4),
        "slice*_window_reader": (230, 273, 0),
        "watchdog_*": (77, 32, 0),
    },
    ("tiny", "ice40"): {
        "dorefa_core": (49, 70, 0),
        "dot": (112, 76, 0),
        "dot_popcount": (144, 0, 0),
        "host": (160, 257, 0),
        "host_load_check": (196, 33, 0),
        "outlet": (15, 4, 0),
        "packer": (27, 67, 0),
        "recovery": (4, 2, 0),
        "results": (27, 48, 0),
        "sequencer": (116, 614, 2),
        "slice*": (9, 221, 0),
        "slice*_array": (1, 10, 0),
        "slice*_drain": (86, 173, 0),
        "slice*_drain_position": (162, 54, 0),
        "slice*_feature": (189, 155, 4),
        "slice*_issue": (157, 56, 0),
        "slice*_patch": (19, 50, 2),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (8, 114, 1),
        "slice*_pool_y": (16, 131, 1),
        "slice*_quantizer": (30, 121, 2),
        "slice*_run_generator": (151, 139, 3),
        "slice*_weights": (4, 64, 4),
        "slice*_window_reader": (254, 273, 0),
        "watchdog_*": (78, 32, 0),
    },
    ("lean", "ecp5"): {
        "dorefa_core": (47, 70, 0),
        "dot": (992, 992, 0),
        "dot_popcount": (3136, 1600, 0),
        "host": (247, 339, 0),
        "host_load_check": (200, 33, 0),
        "outlet": (15, 4, 0),
        "packer": (121, 461, 0),
        "recovery": (4, 2, 0),
        "results": (91, 345, 0),
        "sequencer": (127, 700, 1),
        "slice*": (12, 253, 0),
        "slice*_array": (1, 2143, 0),
        "slice*_drain": (360, 1479, 0),
        "slice*_drain_position": (177, 54, 0),
        "slice*_feature": (207, 155, 4),
        "slice*_issue": (209, 69, 0),
        "slice*_patch": (73, 194, 4),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (172, 167, 0),
        "slice*_pool_y": (31, 176, 1),
        "slice*_quantizer": (176, 663, 12),
        "slice*_run_generator": (234, 198, 0),
        "slice*_weights": (0, 2048, 128),
        "slice*_window_reader": (261, 324, 0),
        "watchdog_*": (77, 32, 0),
    },
    ("default", "ecp5"): {
        "dorefa_core": (47, 70, 0),
        "dot": (1280, 864, 0),
        "dot_popcount": (5248, 0, 0),
        "host": (253, 341, 0),
        "host_load_check": (200, 33, 0),
        "outlet": (15, 4, 0),
        "packer": (65, 349, 0),
        "recovery": (4, 2, 0),
        "results": (84, 315, 0),
        "sequencer": (133, 703, 1),
        "slice*": (11, 247, 0),
        "slice*_array": (1, 10, 0),
        "slice*_drain": (334, 1350, 0),
        "slice*_drain_position": (178, 54, 0),
        "slice*_feature": (1808, 1070, 20),
        "slice*_issue": (205, 67, 0),
        "slice*_patch": (2185, 966, 4),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (172, 164, 0),
        "slice*_pool_y": (31, 173, 1),
        "slice*_quantizer": (160, 604, 8),
        "slice*_run_generator": (233, 204, 0),
        "slice*_weights": (0, 2048, 128),
        "slice*_window_reader": (538, 577, 0),
        "watchdog_*": (77, 32, 0),
    },
    ("fixed_point", "ecp5"): {
        "dorefa_core": (47, 70, 0),
        "dot": (3663, 1155, 0),
        "dot_popcount": (5412, 0, 0),
        "host": (254, 371, 0),
        "host_load_check": (200, 33, 0),
        "outlet": (15, 4, 0),
        "packer": (120, 349, 0),
        "recovery": (4, 2, 0),
        "results": (50, 239, 0),
        "sequencer": (131, 709, 1),
        "slice*": (3, 249, 0),
        "slice*_array": (1, 10, 0),
        "slice*_drain": (649, 1918, 0),
        "slice*_drain_position": (179, 54, 0),
        "slice*_feature": (1802, 1070, 30),
        "slice*_issue": (328, 105, 0),
        "slice*_patch": (644, 582, 16),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (68, 276, 1),
        "slice*_pool_y": (76, 293, 1),
        "slice*_quantizer": (2247, 1496, 12),
        "slice*_run_generator": (234, 204, 0),
        "slice*_weights": (0, 2048, 512),
        "slice*_window_reader": (538, 577, 0),
        "watchdog_*": (77, 32, 0),
    },
    ("wide", "ecp5"): {
        "dorefa_core": (47, 70, 0),
        "dot": (1280, 928, 0),
        "dot_popcount": (21472, 0, 0),
        "host": (277, 550, 0),
        "host_load_check": (200, 33, 0),
        "outlet": (15, 4, 0),
        "packer": (187, 699, 0),
        "recovery": (4, 2, 0),
        "results": (187, 644, 0),
        "sequencer": (147, 674, 1),
        "slice*": (11, 252, 0),
        "slice*_array": (1, 10, 0),
        "slice*_drain": (242, 1346, 0),
        "slice*_drain_position": (178, 54, 0),
        "slice*_feature": (3848, 2128, 38),
        "slice*_issue": (191, 63, 0),
        "slice*_patch": (8720, 3846, 16),
        "slice*_pool": (0, 0, 0),
        "slice*_pool_x": (43, 199, 1),
        "slice*_pool_y": (51, 216, 1),
        "slice*_quantizer": (320, 1184, 16),
        "slice*_run_generator": (243, 210, 0),
        "slice*_weights": (0, 8192, 256),
        "slice*_window_reader": (895, 912, 0),
        "watchdog_*": (77, 32, 0),
    },
}

# The others take minutes.
SAMPLE = (pytest.mark.slow, pytest.mark.sample)
MARKS = {("tiny", "ecp5"): (), ("lean", "ecp5"): SAMPLE}


def found(config, target, folder):
    """Components of the engine without AXI, as `dorefa synth --unit core` counts them."""
    unit = make_unit("core", config, target)
    statistics = yosys.synthesize(unit.write(folder), top=unit.top, target=target)
    lines = report.components(statistics["hierarchical"], unit.top, target)
    return {line["name"]: (line["luts"], line["ffs"], line["brams"]) for line in lines}


@pytest.mark.parametrize(
    "name, target",
    [pytest.param(*case, marks=MARKS.get(case, pytest.mark.slow)) for case in EXPECTED],
)
def test_components(name, target, tmp_path):
    sizes = found(preset(name), target, tmp_path)
    print("\n".join(f'        "{component}": {size},' for component, size in sizes.items()))
    assert sizes == EXPECTED[name, target]


# What the checks cost `tiny` on ECP5: LUTs and flip-flops of all components.
CHECKS = {"none": (2076, 2622), "basic": (2218, 2745), "full": (2443, 2820)}


@pytest.mark.parametrize("checks", CHECKS)
def test_checks(checks, tmp_path):
    sizes = found(preset("tiny").replace(checks=checks), "ecp5", tmp_path)
    totals = tuple(sum(size[kind] for size in sizes.values()) for kind in (0, 1))
    print(f'    "{checks}": {totals},')
    assert totals == CHECKS[checks]
