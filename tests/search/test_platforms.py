"""Saving on file systems that know less, and below ``~``."""

import errno
import os

import pytest

from course_utils.search import storage

FILES = {"one.bin": b"1"}


@pytest.fixture
def folders_refuse(monkeypatch):
    """A shared folder on which a folder cannot be synced; files can."""

    def refuse(code):
        sync = os.fsync

        def fsync(handle):
            if os.path.isdir(f"/proc/self/fd/{handle}"):
                raise OSError(code, os.strerror(code))
            sync(handle)

        monkeypatch.setattr(storage.os, "fsync", fsync)

    return refuse


linux = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="reads /proc")


@linux
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_a_folder_saves_all_the_same(
    tmp_path, folders_refuse, code
):
    folders_refuse(code)
    storage.write(tmp_path / "a", "toy 1", {}, FILES)
    assert storage.read(tmp_path / "a", "toy 1") == ({}, FILES)


@linux
def test_a_disk_that_fails_is_not_kept_quiet(tmp_path, folders_refuse):
    folders_refuse(errno.EIO)
    with pytest.raises(OSError):
        storage.write(tmp_path / "a", "toy 1", {}, FILES)


def test_a_tilde_is_your_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    storage.write("~/index", "toy 1", {}, FILES)
    assert storage.read("~/index", "toy 1")[1] == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
