"""What computes the quantized part of a training step, by the name that `--backend` gives it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..common import options

if TYPE_CHECKING:
    from dorefa.golden.train.backend import Backend
    from dorefa.golden.train.compared import Compared
    from dorefa.golden.train.recipe import Recipe
    from dorefa.golden.zoo.architecture import Architecture
    from dorefa.hw.config.engine import EngineConfig
    from dorefa.hw.shell.training_board import TrainingBoard
    from dorefa.sim.training.engine_backend import EngineBackend


@dataclass(kw_only=True)
class Computing:
    """The `backend` that trains; `compared`, the same beside another one's results; `engine`, the same on the
    engine of `config`; `board`, where that is one. None for what there is not."""

    backend: Backend
    compared: Compared | None = None
    engine: EngineBackend | None = None
    config: EngineConfig | None = None
    board: TrainingBoard | None = None


@contextmanager
def computing(args: argparse.Namespace, architecture: Architecture, recipe: Recipe) -> Iterator[Computing]:
    """The backend that the command line asks for, for as long as the block lasts."""
    if args.backend != "golden":
        recipe.check_integers(architecture, args.backend)
    with BACKENDS[args.backend](args, architecture, recipe) as found:
        if args.trace:
            from dorefa.golden.train.compared import Compared

            other = "planes" if args.backend == "golden" else "golden"
            with BACKENDS[other](args, architecture, recipe) as reference:
                found.backend = found.compared = Compared(found.backend, reference.backend)
                yield found
        else:
            yield found


@contextmanager
def _golden(_: argparse.Namespace, __: Architecture, recipe: Recipe) -> Iterator[Computing]:
    from dorefa.golden.train.matrix_backend import MatrixBackend

    yield Computing(backend=MatrixBackend(recipe.stream_seed))


@contextmanager
def _planes(_: argparse.Namespace, __: Architecture, recipe: Recipe) -> Iterator[Computing]:
    from dorefa.golden.backward.planes import run_planes
    from dorefa.golden.train.job_backend import JobBackend

    yield Computing(backend=JobBackend(run_planes, recipe.stream_seed))


@contextmanager
def _engine(args: argparse.Namespace, architecture: Architecture, recipe: Recipe) -> Iterator[Computing]:
    from dorefa.golden.train.network import convolution_shapes
    from dorefa.hw.compiler.training.job_program import JobProgram
    from dorefa.hw.compiler.training.sizing import fit_training
    from dorefa.hw.compiler.training.step_cost import step_costs
    from dorefa.hw.compiler.training.step_jobs import StepJobs
    from dorefa.sim.training.engine import training_engine
    from dorefa.sim.training.engine_backend import EngineBackend

    shapes = convolution_shapes(architecture, recipe)
    overrides: dict[str, Any] = {**options.engine_overrides(args)}
    config = fit_training(shapes, recipe.batch, **overrides)
    step = StepJobs.of(shapes, recipe.batch, config)
    cycles = sum(cost.cost.cycles for cost in step_costs(step, config))
    with training_engine(JobProgram.of(step.jobs, config), cycles=cycles * (args.steps or 1)) as engine:
        found = EngineBackend(engine, step, recipe.stream_seed)
        yield Computing(backend=found, engine=found, config=config)


@contextmanager
def _board(args: argparse.Namespace, architecture: Architecture, recipe: Recipe) -> Iterator[Computing]:
    from dorefa.golden.train.network import convolution_shapes
    from dorefa.hw.compiler.training.job_program import JobProgram
    from dorefa.hw.compiler.training.step_jobs import StepJobs
    from dorefa.sim.training.engine import TrainingEngine
    from dorefa.sim.training.engine_backend import EngineBackend

    from .board import training_board

    with training_board(args) as (board, config):
        step = StepJobs.of(convolution_shapes(architecture, recipe), recipe.batch, config)
        engine = TrainingEngine(session=board, program=JobProgram.of(step.jobs, config))
        engine.load()
        found = EngineBackend(engine, step, recipe.stream_seed)
        yield Computing(backend=found, engine=found, config=config, board=board)


_Maker = Callable[[argparse.Namespace, "Architecture", "Recipe"], AbstractContextManager[Computing]]
BACKENDS: dict[str, _Maker] = {"golden": _golden, "planes": _planes, "engine": _engine, "board": _board}
