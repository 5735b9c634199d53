"""One module per notebook, same stem; each has a list ``QUESTIONS``.

They are kept out of the notebooks, where the answer would stand beside the question.
"""
