"""From a lowered network to a program and memory images."""
