"""The first command works for root, without a screen, and for everybody else."""

import subprocess

import pytest

from course_utils.authoring import lab


@pytest.fixture
def started(monkeypatch):
    """Open the lab as somebody; returns the command that was run."""

    def start(user, environment, arguments=(), system="linux"):
        ran = []
        monkeypatch.setattr(lab, "write_overrides", lambda prefix: None)
        monkeypatch.setattr(lab, "trust", lambda: None)
        monkeypatch.setattr(lab.sys, "platform", system)
        if user is None:
            monkeypatch.delattr(lab.os, "geteuid")
        else:
            monkeypatch.setattr(lab.os, "geteuid", lambda: user)
        monkeypatch.setattr(lab.os, "environ", environment)
        monkeypatch.setattr(
            lab.subprocess,
            "run",
            lambda command, **_: (
                ran.append(command) or subprocess.CompletedProcess([], 0)
            ),
        )
        assert lab.open_lab(list(arguments)) == 0
        return ran[0]

    return start


SCREEN = {"DISPLAY": ":0"}


def test_root_is_let_in_and_told_so_in_one_line(started, capsys):
    assert "--allow-root" in started(0, SCREEN)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1 and "root" in said[0] and "--allow-root" in said[0]


@pytest.mark.parametrize("user", [1000, None])
def test_an_ordinary_user_gets_no_flag_and_no_word(started, capsys, user):
    command = started(user, SCREEN)
    assert "--allow-root" not in command and "--no-browser" not in command
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("user", [0, 1000])
def test_the_server_is_bound_to_this_machine_whoever_starts_it(started, user):
    assert "--ServerApp.ip=127.0.0.1" in started(user, SCREEN)


def test_without_a_screen_the_address_is_printed_and_no_browser_opened(started, capsys):
    assert "--no-browser" in started(1000, {})
    assert "address" in capsys.readouterr().out


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_only_linux_tells_of_its_screen_this_way(started, capsys, system):
    assert "--no-browser" not in started(1000, {}, system=system)
    assert capsys.readouterr().out == ""


def test_what_you_pass_yourself_is_not_passed_twice(started):
    command = started(0, {}, ["--allow-root", "--no-browser", "--port=9999"])
    assert command.count("--allow-root") == command.count("--no-browser") == 1
    assert command[-1] == "--port=9999"
