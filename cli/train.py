"""`dorefa train`: Algorithm 1 of the paper on a data set in files."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dorefa.golden.errors import InputError

from .output import Output, Progress

if TYPE_CHECKING:
    from dorefa.golden.network.network import Network
    from dorefa.golden.train.backend import Backend
    from dorefa.golden.train.compared import Compared
    from dorefa.golden.train.train import TrainingResult

SUMMARY = "train a network with low-bitwidth weights, activations and gradients"
EXAMPLE = "dorefa train digits -o digits.npz --net-w 1 --net-a 2 --net-g 6 --data mnist"

_KINDS = ("quantized", "float")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument("network", metavar="NET", help="zoo name of the architecture")
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where the network goes: a name ending in .npz, or in .onnx for QONNX",
    )
    parser.add_argument("--data", metavar="DIR", help="folder with the four IDX files of MNIST, .gz or not")
    _add_widths(parser.add_argument_group("widths"))
    _add_steps(parser.add_argument_group("steps"))
    group = parser.add_argument_group("backend")
    group.add_argument(
        "--backend",
        choices=_BACKENDS,
        default="golden",
        help="what computes convolutions and quantizers: matrix products (golden) or bit planes; same bits",
    )
    group.add_argument(
        "--trace", action="store_true", help="compare every operand and sum with another backend's"
    )
    group.add_argument(
        "--checkpoint", metavar="FILE", help="written after every epoch, every minute and at the end"
    )
    group.add_argument("--resume", metavar="FILE", help="a checkpoint to go on from, with the same options")


def _add_widths(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--net-w", type=int, default=1, metavar="BITS", help="weight bits, 1 to 8, or 32: float"
    )
    group.add_argument(
        "--net-a", type=int, default=2, metavar="BITS", help="activation bits, 1 to 8, or 32: float"
    )
    group.add_argument(
        "--net-g",
        type=int,
        default=6,
        metavar="BITS",
        help="gradient bits, 1 to 8 in integers, 9 to 31 computed in floating point, or 32: float",
    )
    group.add_argument("--net-first-w", type=int, metavar="BITS", help="weight bits, first layer")
    group.add_argument("--net-last-w", type=int, metavar="BITS", help="weight bits, last layer")
    group.add_argument(
        "--first", choices=_KINDS, default="quantized", help="weights and gradients of the first layer"
    )
    group.add_argument(
        "--last",
        choices=_KINDS,
        default="quantized",
        help="weights and gradients of the last layer, and the activations that it reads",
    )
    group.add_argument(
        "--noise", choices=("on", "off"), default="on", help="off: gradients are rounded to nearest"
    )


def _add_steps(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--epochs", type=int, default=6, metavar="N", help="default 6")
    group.add_argument("--steps", type=int, metavar="N", help="end after N steps in all")
    group.add_argument("--batch", type=int, default=64, metavar="N", help="default 64")
    group.add_argument("--rate", type=float, default=1e-3, metavar="R", help="default 0.001")
    group.add_argument("--optimizer", choices=("adam", "sgd"), default="adam", help="default adam")
    group.add_argument("--momentum", type=float, metavar="M", help="of sgd, default 0.9")
    group.add_argument(
        "--weight-decay", type=float, default=0.0, metavar="D", help="rate x D of every weight a step"
    )
    group.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of initial weights and order, default 1"
    )
    group.add_argument(
        "--noise-seed", type=int, metavar="N", help="of the gradient quantizer (default: --seed)"
    )


def _golden(noise_seed: int | None) -> Backend:
    from dorefa.golden.train.matrix_backend import MatrixBackend

    return MatrixBackend(noise_seed)


def _planes(noise_seed: int | None) -> Backend:
    from dorefa.golden.backward.planes import run_planes
    from dorefa.golden.train.job_backend import JobBackend

    return JobBackend(run_planes, noise_seed)


# Makes a backend from the seed of the noise, None without noise.
_BACKENDS: dict[str, Callable[[int | None], Backend]] = {"golden": _golden, "planes": _planes}


def _data_files(folder):
    """What :func:`load_mnist` may find in `folder`."""
    return (
        [] if folder is None else [*Path(folder).glob("*idx*-ubyte*"), *Path(folder).glob("*/*idx*-ubyte*")]
    )


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden.train.recipe import Recipe
    from dorefa.golden.train.train import train
    from dorefa.golden.zoo import architectures
    from dorefa.golden.zoo.datasets import load_mnist

    out = Output(
        args.json,
        outputs={"--output": args.output, "--checkpoint": args.checkpoint},
        # The checkpoint that a training goes on from may be the one that it writes.
        inputs={
            "--data": _data_files(args.data),
            "--resume": None if args.resume == args.checkpoint else args.resume,
        },
    )
    architecture = architectures.find(args.network)
    save = _writer(args.output)
    if args.data is None:
        raise InputError(
            "--data is missing: training needs the full set; accepted: a folder with the four IDX "
            "files of MNIST (train-images-idx3-ubyte and so on, .gz or not)"
        )
    recipe = Recipe(**_fields(args))
    if args.output is not None:
        recipe.check_storable(architecture)
    if args.backend != "golden":
        recipe.check_integers(architecture, args.backend)
    backend = _BACKENDS[args.backend](recipe.stream_seed)
    compared = _compared(args.backend, backend, recipe.stream_seed) if args.trace else None
    data = load_mnist(args.data)
    with Progress("train", 1) as progress:

        def show(step, steps, measures):
            note = "epoch {epoch} loss {loss:.4f} accuracy {train_accuracy:.4f}"
            progress.update(step, total=steps, note=note.format(**measures))

        result = train(
            architecture,
            recipe,
            data.train_images,
            data.train_labels,
            test=(data.test_images, data.test_labels),
            backend=compared or backend,
            steps=args.steps,
            checkpoint=args.checkpoint,
            resume=args.resume,
            progress=show,
        )
    if result.network is not None and args.output is not None:
        save(result.network, args.output)
    return _tell(out, args, result, compared)


def _writer(path: str | None) -> Callable[[Network, str], None]:
    """What writes a network to `path`; InputError, before the training, where nothing does."""
    from dorefa.golden.network import npz
    from dorefa.golden.onnx import export
    from dorefa.golden.onnx.file.read import import_onnx

    if path is None or path.endswith(".npz"):
        return npz.save
    if not path.endswith(".onnx"):
        raise InputError(f"--output is {path}; accepted: a name ending in .npz or .onnx")
    import_onnx(path, "writing")
    return export.save


def _fields(args: argparse.Namespace) -> dict[str, Any]:
    """Fields of the recipe that the options describe."""
    if args.momentum is not None and args.optimizer != "sgd":
        raise InputError(f"--momentum is {args.momentum} with {args.optimizer}; accepted: with sgd")
    names = "epochs", "batch", "rate", "seed", "noise_seed", "first", "last", "optimizer", "weight_decay"
    fields = {name: getattr(args, name) for name in names}
    if args.momentum is not None:
        fields["momentum"] = args.momentum
    widths = {
        "w_bits": args.net_w,
        "a_bits": args.net_a,
        "g_bits": args.net_g,
        "first_w": args.net_first_w,
        "last_w": args.net_last_w,
    }
    return fields | widths | {"noise": args.noise == "on"}


def _compared(name: str, backend: Backend, noise_seed: int | None) -> Compared:
    """`backend` with what it is compared with: bit planes for golden, golden for all others."""
    from dorefa.golden.train.compared import Compared

    return Compared(backend, _BACKENDS["planes" if name == "golden" else "golden"](noise_seed))


def _tell(out: Output, args: argparse.Namespace, result: TrainingResult, compared: Compared | None) -> int:
    """Says and reports what came out; returns the exit status."""
    out.table(
        ["epoch", "loss", "training accuracy", "test accuracy"],
        [
            [epoch["epoch"], epoch["loss"], epoch["train_accuracy"], epoch["test_accuracy"]]
            for epoch in result.history
        ],
    )
    model = "training network" if result.network is None else "integer model"
    out.say(f"accuracy of the {model} {result.accuracy:.4f}")
    files = [path for path in (args.output, args.checkpoint) if path is not None]
    for path in files:
        out.say(f"wrote {path}")
    report = {
        "backend": args.backend,
        "accuracy": result.accuracy,
        "history": result.history,
        "losses": result.losses,
        "parameters_sha256": result.parameters_sha256,
        "files": files,
    }
    if compared is not None:
        out.say(
            f"compared {compared.sums:,} sums and {compared.codes:,} codes and scales: "
            f"{compared.differences:,} differ"
        )
        report |= {
            "sums_compared": compared.sums,
            "codes_compared": compared.codes,
            "mismatch_count": compared.differences,
            "mismatches": [] if compared.first is None else [compared.first._asdict()],
        }
        if compared.first is not None:
            out.say(f"first difference: {compared.first}")
    out.report(report)
    return 1 if compared is not None and compared.differences else 0
