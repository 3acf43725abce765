"""What `--architecture pipeline` and `auto` refuse, in one line, before anything is written."""

import pytest


@pytest.mark.parametrize(
    "command, message",
    [
        ("check MODEL --interval 5", "--interval is 5; accepted: only with --architecture pipeline, auto"),
        (
            "check MODEL --effort 5",
            "--effort is 5; accepted: only with --architecture pipeline, hybrid, auto",
        ),
        ("check MODEL --architecture auto --effort -1", "--effort is -1; accepted: 0 or more evaluations"),
        ("check MODEL --architecture auto --interval 1", "--interval is 1; accepted: "),
        ("check MODEL --architecture pipeline --interval 1", "--interval is 1; accepted: "),
        (
            "check svhn-a --architecture pipeline",
            "layer conv6: has 1,638,400 weights; accepted as constants: at most 1,000,000; the engine (",
        ),
        (
            "check MODEL --architecture pipeline --effort -1",
            "--effort is -1; accepted: 0 or more evaluations",
        ),
        (
            "check MODEL --architecture pipeline --lanes 8",
            "--lanes is 8; accepted: only with --architecture engine",
        ),
        (
            "check MODEL --device LFE5U-25F-6",
            "--device is LFE5U-25F-6; accepted: only with --architecture pipeline, hybrid, auto",
        ),
        (
            "check MODEL --architecture pipeline --device iCE40-HX8K",
            "device is 'iCE40-HX8K'; accepted for ecp5: LFE5U-85F-6, LFE5U-45F-6, LFE5U-25F-6",
        ),
        (
            "check MODEL --architecture pipeline --preset tiny",
            "--preset is tiny; accepted: only with --architecture engine",
        ),
        (
            "synth --model MODEL --architecture pipeline --device nope",
            "device is 'nope'; accepted for ecp5: LFE5U-85F-6, LFE5U-45F-6, LFE5U-25F-6",
        ),
        (
            "build MODEL --architecture auto --board icebreaker -o OUT",
            "--architecture auto for icebreaker: pipelines are sized for ecp5 alone; accepted: ",
        ),
        (
            "synth --model MODEL --architecture auto --target ice40",
            "--architecture auto for ice40: pipelines are sized for ecp5 alone; accepted: engine, pipeline",
        ),
        (
            "generate -o OUT --architecture auto",
            "--architecture auto needs a network; accepted: --model MODEL beside it",
        ),
        (
            "generate -o OUT --architecture pipeline",
            "--architecture pipeline needs a network; accepted: --model MODEL beside it",
        ),
        (
            "synth --architecture pipeline",
            "--architecture pipeline needs a network; accepted: --model MODEL beside it",
        ),
        (
            "synth --model MODEL --architecture pipeline --unit dot",
            "--unit is dot; accepted: only with --architecture engine",
        ),
        (
            "generate -o OUT --model MODEL --architecture pipeline --preload",
            "--preload is True; accepted: only with --architecture engine",
        ),
        (
            "generate -o OUT --model MODEL --architecture pipeline --memory macro",
            "--memory is macro; accepted: only with --architecture engine",
        ),
        (
            "simulate MODEL --architecture pipeline --netlist",
            "--netlist is True; accepted: only with --architecture engine",
        ),
        (
            "simulate MODEL --architecture pipeline --target ecp5",
            "--target is ecp5; accepted: only with --netlist",
        ),
        (
            "simulate MODEL --architecture pipeline --latency 3",
            "--latency is 3; accepted: only with --architecture engine",
        ),
        (
            "simulate MODEL --architecture pipeline --limit 0",
            "limit is 0; accepted: an integer of at least 1",
        ),
        (
            "simulate MODEL --architecture pipeline --stalls 100",
            "stalls is 100; accepted: an integer, 0 to 90 percent",
        ),
        (
            "simulate MODEL --architecture pipeline --stalls -1",
            "stalls is -1; accepted: an integer, 0 to 90 percent",
        ),
        (
            "check MODEL --architecture pipeline --net-g 4",
            "--net-g is 4; accepted: only with --architecture engine",
        ),
        (
            "check MODEL --architecture pipeline --training",
            "--training is 1; accepted: only with --architecture engine",
        ),
        (
            "check MODEL --architecture pipeline --interval 99999999999999999999",
            "--interval is 99999999999999999999; accepted: ",
        ),
    ],
)
def test_refusals(command, message, small_pipeline, tmp_path, dorefa):
    folder = tmp_path / "out"
    given = {"MODEL": small_pipeline, "OUT": folder}
    found = dorefa(*(given.get(word, word) for word in command.split()))
    assert message in found.error
    assert not folder.exists()


def test_layers_of_many_weights_are_for_the_engine(dorefa):
    found = dorefa("check", "svhn-a", "--architecture", "pipeline", "--effort", "0", "--json", "-")
    assert found.status == 1 and found.report["supported"] is False
    assert "the engine (--architecture engine) runs it" in found.err
