"""One module per notebook, same stem: its pictures, each drawn by one named call.

A picture takes data and labels. Its alt text and its fact are computed from the same
data, so that they cannot contradict it.
"""
