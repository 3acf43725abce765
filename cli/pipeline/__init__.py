"""`--architecture pipeline`: what verbs do for the constant-weight pipeline."""
