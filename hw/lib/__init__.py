"""Small components that know nothing of engines."""
