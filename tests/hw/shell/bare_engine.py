"""An engine that is nothing but its ports, for what lies around it."""

from amaranth import Module

from dorefa.hw.engine.engine import Engine


class BareEngine(Engine):
    """The ports of an engine, whose outputs a test bench sets."""

    def elaborate(self, platform):
        return Module()
