"""From the feature memory to patches."""
