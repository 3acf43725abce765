"""What an engine is wrapped in, and the other end of its lines."""
