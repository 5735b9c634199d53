"""Where should the first set-up take torch from? Prints arguments for pip.

On Linux the public index ships torch with CUDA: gigabytes that a machine without a card
cannot use. PyTorch's own index has the small build. ``make`` asks here before anything
is installed, so this runs as a script and needs the standard library only.
"""

from __future__ import annotations

import platform
import shutil
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SIGNS = ("/proc/driver/nvidia/version", "/dev/nvidia0", "/usr/lib/wsl/lib/nvidia-smi")
SMALL = "No NVIDIA driver: torch comes from PyTorch's index of CPU builds."
LARGE = (
    "No NVIDIA driver, but PyTorch's index of CPU builds does not answer: torch comes "
    "from the usual index, which may bring gigabytes of CUDA along."
)


def has_card(signs: Iterable[str] = SIGNS) -> bool:
    """Is an NVIDIA driver installed (also Windows' own, seen from its Linux)?

    >>> has_card([__file__])
    True
    """
    return bool(shutil.which("nvidia-smi")) or any(map(Path.exists, map(Path, signs)))


def answers(index: str, seconds: float = 4) -> bool:
    """Does this package index list torch, within so many seconds per answer?

    >>> answers("http://127.0.0.1:9")  # nobody listens there
    False
    """
    try:
        with urllib.request.urlopen(f"{index}/torch/", timeout=seconds) as page:
            return page.status == 200
    except (OSError, ValueError):
        return False


def choose(system: str, card: bool, index: str = CPU_INDEX) -> tuple[list[str], str]:
    """The arguments for pip, and what to tell the reader (nothing where all is well).

    An index beside the usual one: pip prefers ``2.13.0+cpu`` to ``2.13.0``, and all
    else still comes from where it always comes from.

    Args:
        system: as ``platform.system()`` says it; only Linux is served CUDA.
        card: whether CUDA has something to run on.
        index: the address of the package index with CPU builds.

    >>> choose("Darwin", card=False), choose("Linux", card=True)
    (([], ''), ([], ''))
    """
    if system != "Linux" or card:
        return [], ""
    if answers(index):
        return ["--extra-index-url", index], SMALL
    return [], LARGE


if __name__ == "__main__":
    arguments, said = choose(platform.system(), has_card())
    if said:
        print(said, file=sys.stderr)
    print(*arguments)
