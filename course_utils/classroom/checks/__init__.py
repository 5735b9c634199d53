"""One module per notebook, same stem; each has a list ``EXERCISES``."""
