"""To come."""


def build_slides():
    """Nothing yet."""
    return 1
