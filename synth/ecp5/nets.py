"""Numbers of nets in a module of Yosys's JSON."""


def free_net(module: dict) -> int:
    """The least number above all that cells and names of the module use; a port has a name."""
    bits = [bits for cell in module["cells"].values() for bits in cell["connections"].values()]
    bits += [net["bits"] for net in module.get("netnames", {}).values()]
    return max((bit for group in bits for bit in group if isinstance(bit, int)), default=1) + 1
