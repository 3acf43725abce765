"""Mutants that no test can find, by component and name, and why: they compute the same, or what differs is of
no use to anyone. `mutator.campaign` refuses a name that no mutant has, and one that a test kills."""

EQUIVALENT: dict[str, dict[str, str]] = {}
