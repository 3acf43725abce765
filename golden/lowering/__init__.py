"""From a network in float to integers, exactly."""
