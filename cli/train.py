"""`dorefa train`: Algorithm 1 of the paper on a data set in files."""

import argparse
from pathlib import Path

from dorefa.golden.errors import InputError

from .output import Output, Progress

SUMMARY = "train a network with low-bitwidth weights, activations and gradients"
EXAMPLE = "dorefa train digits -o digits.npz --net-w 1 --net-a 2 --net-g 6 --data mnist"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verb's options to `parser`."""
    parser.add_argument("network", metavar="NET", help="zoo name of the architecture")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="where the network goes: a name ending in .npz, or in .onnx for QONNX",
    )
    parser.add_argument("--net-w", type=int, default=1, metavar="BITS", help="weight bits, 1 to 8")
    parser.add_argument("--net-a", type=int, default=2, metavar="BITS", help="activation bits, 1 to 8")
    parser.add_argument(
        "--net-g", type=int, default=6, metavar="BITS", help="gradient bits, 1 to 8, or 32: float"
    )
    parser.add_argument("--net-first-w", type=int, metavar="BITS", help="weight bits, first layer")
    parser.add_argument("--net-last-w", type=int, metavar="BITS", help="weight bits, last layer")
    parser.add_argument("--epochs", type=int, default=6, metavar="N", help="default 6")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="default 64")
    parser.add_argument("--rate", type=float, default=1e-3, metavar="R", help="default 0.001")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--data", metavar="DIR", help="folder with the four IDX files of MNIST, .gz or not")


def _data_files(folder):
    """What :func:`load_mnist` may find in `folder`."""
    return (
        [] if folder is None else [*Path(folder).glob("*idx*-ubyte*"), *Path(folder).glob("*/*idx*-ubyte*")]
    )


def run(args: argparse.Namespace) -> int:
    """Runs the verb; returns the exit status."""
    from dorefa.golden.network import npz
    from dorefa.golden.onnx import export
    from dorefa.golden.onnx.file.read import import_onnx
    from dorefa.golden.train.recipe import Recipe
    from dorefa.golden.train.train import train
    from dorefa.golden.zoo import architectures
    from dorefa.golden.zoo.datasets import load_mnist

    out = Output(args.json, outputs={"--output": args.output}, inputs={"--data": _data_files(args.data)})
    architecture = architectures.find(args.network)
    if not args.output.endswith((".npz", ".onnx")):
        raise InputError(f"--output is {args.output}; accepted: a name ending in .npz or .onnx")
    if args.output.endswith(".onnx"):
        # Said before the training, not after it.
        import_onnx(args.output, "writing")
    if args.data is None:
        raise InputError(
            "--data is missing: training needs the full set; accepted: a folder with the four IDX "
            "files of MNIST (train-images-idx3-ubyte and so on, .gz or not)"
        )
    recipe = Recipe(
        w_bits=args.net_w,
        a_bits=args.net_a,
        g_bits=args.net_g,
        first_w=args.net_first_w,
        last_w=args.net_last_w,
        epochs=args.epochs,
        batch=args.batch,
        rate=args.rate,
        seed=args.seed,
    )
    recipe.check_storable(architecture)
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
            progress=show,
        )
    save = npz.save if args.output.endswith(".npz") else export.save
    assert result.network is not None
    save(result.network, args.output)
    out.table(
        ["epoch", "loss", "training accuracy", "test accuracy"],
        [
            [epoch["epoch"], epoch["loss"], epoch["train_accuracy"], epoch["test_accuracy"]]
            for epoch in result.history
        ],
    )
    out.say(f"accuracy of the integer model {result.accuracy:.4f}")
    out.say(f"wrote {args.output}")
    out.report({"accuracy": result.accuracy, "history": result.history, "files": [args.output]})
    return 0
