"""Random layers of all widths: jobs by matrix products and by both forms of bit planes equal direct sums."""

import pytest

from dorefa.golden.backward.matrix import run_matrix
from dorefa.golden.backward.planes import run_planes, run_xnor_planes
from dorefa.golden.backward.weight import WeightForm
from dorefa.golden.random.backward import widths_of

from .direct import differing, drawn, forms_of

SOME, MORE, ALL = 40, 80, 512
SLOW = [pytest.mark.slow, pytest.mark.sample]


@pytest.mark.parametrize(
    "number",
    [
        *range(SOME),
        *(pytest.param(number, marks=SLOW) for number in range(SOME, MORE)),
        *(pytest.param(number, marks=pytest.mark.slow) for number in range(MORE, ALL)),
    ],
)
def test_jobs_equal_direct_sums(number, seed):
    case = drawn(seed, number)
    assert differing(case, run_planes) == set(), case.shape
    assert differing(case, run_xnor_planes) == set(), case.shape
    # Kernels of at most three rows and columns: maps of gradients in bands.
    for longest in (63, 3):
        assert differing(case, run_matrix, longest) == set(), case.shape


def test_the_cases_of_every_run_have_all_widths():
    for position in range(3):
        assert {widths_of(number)[position] for number in range(SOME)} == set(range(1, 9))


def test_the_cases_of_every_run_have_all_geometries(seed):
    shapes = [drawn(seed, number).shape for number in range(SOME)]
    for name in ("stride", "dilation"):
        assert {number for shape in shapes for number in getattr(shape, name)} == {1, 2, 3}
    assert {shape.groups for shape in shapes} == {1, 2, 3}
    assert {form for shape in shapes for form in forms_of(shape)} == {
        WeightForm(name, split) for name in "PB" for split in range(1, 5)
    }
    assert {shape.covers_map for shape in shapes} == {False, True}
    assert any(shape.stride != (1, 1) and shape.dilation != (1, 1) for shape in shapes)
