"""dorefa.hw.compiler.pass_front: patches that are left out change no prediction."""

import pytest

from dorefa.golden.backward.input import BackwardInput
from dorefa.golden.backward.weight import BackwardWeight, WeightForm
from dorefa.golden.random.backward import random_convolution, widths_of
from dorefa.golden.random.draws import RawDraws
from dorefa.hw.compiler.pass_front import PassFront
from dorefa.hw.compiler.training.job_pass import JobPass

from .training.support import CONFIG

ENGINES = [
    {},
    {"lanes": 64, "rows": 8, "quant": 1, "patch_slots": 2},
    {"fetch_bits": 16, "rows": 2, "patch_slots": 8},
    {"training": 0, "results": "single"},
    {"training": 0, "results": "single", "rows": 9, "quant": 4, "patch_slots": 8},
]


def predictions(jobs, config):
    return [JobPass(part=job, config=config).cost for job in jobs]


@pytest.mark.parametrize("changes", ENGINES, ids=str)
def test_predictions_stay_the_same(changes, seed, monkeypatch):
    jobs = []
    for number in range(25):
        case = random_convolution(RawDraws(1000 * seed + number), widths_of(number), 1)
        jobs += [*BackwardInput(case.shape).jobs, *BackwardWeight(case.shape, WeightForm("P"), 2).jobs]
    left_out = []
    repeated = PassFront.repeated

    def noted(self, patch, patches):
        left_out.append(repeated(self, patch, patches))
        return left_out[-1]

    monkeypatch.setattr(PassFront, "repeated", noted)
    found = predictions(jobs, CONFIG.replace(**changes))
    assert sum(left_out) > 1000
    monkeypatch.setattr(PassFront, "repeated", lambda self, patch, patches: 0)
    assert found == predictions(jobs, CONFIG.replace(**changes))
