"""Images and labels in a user's files."""
