"""Bit-exact hardware for low-bitwidth neural networks, with open tools only.

- :mod:`dorefa.golden`: what a network means, in NumPy: ``Network``, ``lower``, ``run_integer``.
- :mod:`dorefa.hw`: the engine and its compiler: ``EngineConfig``, ``Engine``, ``fit``, ``compile_network``.
- :mod:`dorefa.sim`: the generated Verilog, simulated and compared with golden: ``simulate``.
- :mod:`dorefa.synth`: Yosys, nextpnr, boards, explorations.
- :mod:`dorefa.cli`: the ``dorefa`` command, also ``python -m dorefa``.

A first session::

    from dorefa.golden import lower
    from dorefa.golden.zoo import catalog
    from dorefa.hw import compile_network, fit
    from dorefa.sim import simulate

    network = lower(catalog.load("digits"))
    compiled = compile_network(network, fit(network, lanes=32, rows=16))
    print(compiled.cycles, "cycles per image")
"""

from importlib.metadata import version as _version

__version__: str = _version("dorefa")
