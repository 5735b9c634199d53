"""What every test run shares: no network, notebooks as nobody is at the keyboard,
and a last line that says how many stored outputs were compared."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent
OFFLINE = ROOT / "tests" / "offline"

sys.path.insert(0, str(OFFLINE))
import sitecustomize  # noqa: E402, F401  (cuts the network in this process)

from course_utils.authoring.build import KERNEL_ENVIRONMENT  # noqa: E402

os.environ.update(KERNEL_ENVIRONMENT)

# No test depends on how fast a machine is, and every run tries the same examples.
settings.register_profile("course", deadline=None, derandomize=True)
settings.load_profile("course")

collect_ignore = [
    "tests/offline",
    "course_utils/__main__.py",
    "course_utils/authoring/__main__.py",
]


@pytest.hookimpl(optionalhook=True)  # known where pytest-xdist is installed
def pytest_xdist_make_scheduler(config, log):
    """All of a file on one worker, since its cells share a kernel.

    In the browser every notebook is by itself: they take long, and spread well.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByKernel(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            alone = nodeid.startswith("tests/browser/") and nodeid.endswith("]")
            return nodeid if alone else nodeid.split("::")[0]

    return ByKernel(config, log)


def _count_comparisons():
    from nbval.plugin import IPyNbCell

    compare = IPyNbCell.compare_outputs

    def counting(self, test, ref, skip_compare=None):
        skipped = set(skip_compare or self.parent.skip_compare)
        compared = sum(
            "text" in output
            or "ename" in output
            or bool(set(output.get("data", {})) - skipped)
            for output in ref
        )
        self.user_properties.append(("outputs_compared", compared))
        return compare(self, test, ref, skip_compare)

    IPyNbCell.compare_outputs = counting


_count_comparisons()


def pytest_terminal_summary(terminalreporter):
    """Say how many stored outputs were compared."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.getreports(outcome)
        if report.when == "call" and report.nodeid.startswith("notebooks/")
    ]
    if not reports:
        return
    compared = sum(
        value
        for report in reports
        for name, value in report.user_properties
        if name == "outputs_compared"
    )
    notebooks = len({report.nodeid.split("::")[0] for report in reports})
    terminalreporter.write_sep("-", "notebooks")
    terminalreporter.write_line(
        f"{notebooks} notebooks, {len(reports)} code cells run, "
        f"{compared} stored outputs compared"
    )
