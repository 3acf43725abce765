"""Networks run: by matrix products, by bit planes, in exact float."""
