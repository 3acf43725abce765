"""What compiler, engine and host agree on."""
