"""Engine parameters: what each accepts, and what must hold between them."""
