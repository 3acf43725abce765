"""Bit-exact hardware for low-bitwidth neural networks, with open tools only.

- :mod:`dorefa.golden`: what a network means, in NumPy: ``Network``, ``lower``, ``run_integer``.
- :mod:`dorefa.hw`: the engine and its compiler: ``EngineConfig``, ``Engine``, ``fit``, ``compile_network``.
- :mod:`dorefa.sim`: the generated Verilog, simulated and compared with golden: ``simulate``.
- :mod:`dorefa.synth`: Yosys, nextpnr, boards, explorations.
- :mod:`dorefa.cli`: the ``dorefa`` command, also ``python -m dorefa``.

A first session::

    from dorefa.golden import lower, random_images
    from dorefa.golden.zoo import catalog
    from dorefa.hw import fit
    from dorefa.sim import simulate

    network = lower(catalog.load("digits"))
    config = fit(network, lanes=32, rows=16)
    report = simulate(network, images=random_images(network, 2, seed=0), config=config)
    print(report.bit_exact, report.cycles)
"""

__version__: str


def __getattr__(name: str) -> str:
    """The version, which takes longer to find out than all that the command needs to be interruptible."""
    if name == "__version__":
        from importlib.metadata import version

        return version("dorefa")
    raise AttributeError(f"module 'dorefa' has no attribute {name!r}")
