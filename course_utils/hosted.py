"""On a hosted machine: is a restart needed?

A hosted notebook has numpy, pandas and others in memory before the first cell runs. The
course asks for them so loosely that pip leaves them as they are. Should pip replace one
all the same, half of the old version would go on beside the new one: the bootstrap cell
asks here, and says plainly what to do. So this module imports nothing that may have
been replaced, and stands apart from ``classroom``, which does.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import metadata

# What such a session may hold in memory: name of the import -> name of the package.
HELD = {
    "numpy": "numpy",
    "pandas": "pandas",
    "torch": "torch",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "matplotlib": "matplotlib",
    "PIL": "pillow",
    "ipywidgets": "ipywidgets",
}


def public(version: str) -> str:
    """A version without its local part, which only says how it was built.

    torch of the public index calls itself 2.13.0+cu130 in memory and 2.13.0 in its
    metadata; both are one version.

    >>> public("2.13.0+cu130"), public("2.13.0+cpu"), public("2.4.1")
    ('2.13.0', '2.13.0', '2.4.1')
    """
    return str(version).partition("+")[0]


def replaced(modules: Mapping[str, object] = sys.modules) -> dict[str, tuple[str, str]]:
    """Packages whose version in memory is no longer the one that is installed.

    The local part of a version (``+cu130``, ``+cpu``) never counts.

    Args:
        modules: what is in memory, name -> module.

    Returns:
        Package -> (version in memory, version installed); ``"none"`` if it is gone.
    """
    found = {}
    for name, package in HELD.items():
        loaded = getattr(modules.get(name), "__version__", None)
        if loaded is None:
            continue
        try:
            installed = metadata.version(package)
        except metadata.PackageNotFoundError:
            installed = "none"
        if public(installed) != public(loaded):
            found[package] = (loaded, installed)
    return found


def after_install(modules: Mapping[str, object] = sys.modules) -> str:
    """Say in one sentence whether the session has to be restarted.

    >>> after_install({})
    'The course is installed. No restart is needed: run the next cell.'
    """
    found = replaced(modules)
    if not found:
        return "The course is installed. No restart is needed: run the next cell."
    which = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in found.items())
    return (
        "RESTART NEEDED: choose Runtime > Restart session, then run from the top. "
        f"The install replaced what was in memory: {which}."
    )
