"""A layer whose products are made one after another, with weights from a memory."""
