"""The engine that runs whole networks, layer by layer."""
