"""`--architecture pipeline` and `hybrid`: what verbs do for networks whose weights are logic."""
