"""What several verbs share: options, output, tables."""
