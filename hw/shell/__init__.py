"""What engines and pipelines are wrapped in, and the other end of their lines."""
