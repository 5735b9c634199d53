"""``python -m course_utils``: is this machine ready for the course?

``python -m course_utils search FOLDER "question"`` searches a folder of yours.
"""

import os
import sys


def main(arguments: list[str]) -> int:
    """Run what was asked for; without arguments the doctor."""
    if not arguments:
        from course_utils.classroom.doctor import main as doctor

        return doctor()
    if arguments[0] == "search":
        from course_utils.yours import run

        return run(arguments[1:], sys.stdout, sys.stderr)
    sys.stderr.write(
        f"course_utils knows no {arguments[0]!r}: without a word it looks at this "
        "machine, with 'search --help' it explains how to search your files\n"
    )
    return 2


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        # A console of another code page shows what it can, and does not break down.
        stream.reconfigure(errors="replace")
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # "| head" has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)
