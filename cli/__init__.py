"""The `dorefa` command: a file per verb."""
