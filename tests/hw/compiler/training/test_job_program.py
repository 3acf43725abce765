"""dorefa.hw.compiler.training.job_program: descriptors of all jobs, one behind the other."""

import re

import pytest

from dorefa.golden.errors import InputError
from dorefa.hw.compiler.training.job_program import JobProgram
from dorefa.hw.interface import program
from dorefa.hw.interface.memory_map import MemoryMap

from .support import CONFIG, job_of, shared_job

JOBS = [job_of(), shared_job(), job_of(kind="border", a_bits=1), job_of(layer="other")]


def test_same_descriptors_are_there_once():
    made = JobProgram.of(JOBS, CONFIG)
    words = program.words_per_layer(CONFIG)
    starts = [made.start(part) for job in JOBS for part in made.parts[job]]
    assert starts == [0, words, 2 * words, 0]


def test_parts_of_a_job_share_descriptors():
    made = JobProgram.of([job_of(groups=2)], CONFIG.replace(weight_depth=24))
    assert len(made.parts[job_of(groups=2)]) == 2 and len(made.starts) == 1


def test_writes_fill_the_program_memory():
    made = JobProgram.of(JOBS, CONFIG)
    memory_map = MemoryMap.of(CONFIG)
    first = memory_map.address(memory_map.program, 0, 0)
    writes = [*made.writes()]
    assert [address for address, _ in writes] == list(range(first, first + len(writes)))
    assert [word for _, word in writes] == [word for descriptor in made.starts for word in descriptor]


def test_more_passes_than_the_memory_holds():
    message = (
        "program memory: the training step needs 3 passes, the engine has layer_depth = 2; accepted: at "
        "least 3"
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        JobProgram.of(JOBS, CONFIG.replace(layer_depth=2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": 0}, "training is 0; accepted for training steps: 1"),
        ({"encoding": "unsigned"}, "encoding is 'unsigned'; accepted for training steps: bipolar or any"),
    ],
)
def test_engines_that_run_no_jobs(changes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        JobProgram.of(JOBS, CONFIG.replace(**changes))
