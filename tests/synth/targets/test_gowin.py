"""dorefa.synth.targets.gowin: commands of a retired tool."""

from dorefa.synth.targets.gowin import current


def test_arguments_of_the_retired_router():
    """What amaranth plans for Gowin runs on the successor of the tool it plans for."""
    old = ["--device", "D", "--family", "GW1N-9C", "--json", "a", "--cst", "b.cst", "--write", "c"]
    new = ["--device", "D", "--vopt", "family=GW1N-9C", "--json", "a", "--vopt", "cst=b.cst", "--write", "c"]
    assert current("nextpnr-gowin", old) == ("nextpnr-himbaechel-gowin", new)
    assert current("gowin_pack", old) == ("gowin_pack", old)
