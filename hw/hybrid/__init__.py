"""A network's first layer as constants in front of an engine that runs the others."""
