"""Many engines for one network, and the choice among them."""
