"""What is simulated, and what comes back."""
