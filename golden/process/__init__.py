"""Tools in child processes that never outlive this one, and what has to be gone when it ends."""
