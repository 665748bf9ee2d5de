"""Which folders a process takes for itself, and what it makes of their modes."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from bus.process import folder
from bus.process.folder import FolderInUse, FolderUnusable, check_owner, claimed


def claim(path: Path, **how):
    return claimed(path, "--state", "processor", **how)


def refusal(path: Path) -> str:
    with pytest.raises(FolderUnusable) as refused, claim(path):
        pass
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("--state: ")
    return str(refused.value)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    with claim(tmp_path / "a" / "state") as made:
        assert mode(made) == 0o700


def test_a_second_claim_is_refused_until_the_first_ends(tmp_path: Path) -> None:
    with (
        claim(tmp_path),
        pytest.raises(FolderInUse, match=rf"--state: .* in use by .*\(pid {os.getpid()}\)"),
        claim(tmp_path),
    ):
        pass
    with claim(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be used: Not a directory" in refusal(tmp_path / "file" / "x")


def test_a_folder_that_was_open_to_readers_is_closed_and_so_are_its_own_files(tmp_path: Path):
    tmp_path.chmod(0o755)
    for name in ("weir.db", "weir.db-wal", "lock", "other"):
        (tmp_path / name).touch(0o644)
        (tmp_path / name).chmod(0o644)
    with claim(tmp_path):
        assert mode(tmp_path) == 0o700
        assert [mode(tmp_path / name) for name in ("weir.db", "weir.db-wal", "lock")] == [
            0o600
        ] * 3
        assert mode(tmp_path / "other") == 0o644


def test_a_link_to_a_file_of_its_own_is_closed_and_one_to_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "far").touch(0o644)
    state = tmp_path / "state"
    state.mkdir()
    (state / "weir.db").symlink_to(tmp_path / "far")
    (state / "weir.db-wal").symlink_to(tmp_path / "nothing")
    with claim(state):
        assert mode(tmp_path / "far") == 0o600


@pytest.mark.parametrize("others", [0o022, 0o002, 0o1002])
def test_a_folder_that_others_may_write_into_is_refused(tmp_path: Path, others: int) -> None:
    tmp_path.chmod(0o700 | others)
    said = refusal(tmp_path)
    assert f"its mode is {0o700 | others:04o}" in said
    assert f"such as '{tmp_path}/weir'" in said
    assert not (tmp_path / "lock").exists()


def test_a_folder_of_root_that_a_group_may_write_into_is_refused(tmp_path, monkeypatch) -> None:
    # So are volumes of Kubernetes with an fsGroup: their mode is root's to change.
    tmp_path.chmod(0o2775)
    uid = tmp_path.stat().st_uid
    monkeypatch.setattr(folder, "_ROOT", uid)
    monkeypatch.setattr(folder.os, "geteuid", lambda: uid + 1)
    assert "its mode is 2775" in refusal(tmp_path)


def test_an_own_folder_made_under_a_umask_for_groups_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    (tmp_path / "weir.db").touch()
    check_owner(tmp_path, "--bus")
    with claim(tmp_path):
        assert mode(tmp_path) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_own_folder_in_which_its_group_has_left_something_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    (tmp_path / "weir.db").symlink_to("/etc/passwd")
    os.chown(tmp_path / "weir.db", 12345, -1, follow_symlinks=False)
    assert f"'{tmp_path}/weir.db' belongs to another user (uid 12345)" in refusal(tmp_path)
    tmp_path.chmod(0o775)
    with pytest.raises(FolderUnusable, match=r"--bus: .* belongs to another user"):
        check_owner(tmp_path, "--bus")


def test_a_file_and_a_link_to_nothing_are_no_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    for path in (tmp_path / "file", tmp_path / "link"):
        assert f"'{path}' cannot be used: it is not a folder" in refusal(path)


def test_the_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    assert f"'{tmp_path / 'lock'}' cannot be used: Is a directory" in refusal(tmp_path)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(folder.os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    monkeypatch.setattr(folder, "_ROOT", -1)
    assert f"belongs to another user (uid {os.getuid()})" in refusal(tmp_path)


def test_a_folder_to_come_passes_and_what_is_none_does_not(tmp_path: Path) -> None:
    check_owner(tmp_path / "to come", "--bus")
    (tmp_path / "file").touch()
    with pytest.raises(FolderUnusable, match=r"--bus: .*Not a directory"):
        check_owner(tmp_path / "file" / "below", "--bus")


def test_a_lock_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    assert "cannot be used" in refusal(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("error", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_named_as_such(tmp_path: Path, monkeypatch, error) -> None:
    def fails(*_):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(fcntl, "flock", fails)
    said = refusal(tmp_path)
    assert "file system without locks" in said
    assert os.strerror(error) in said
    assert "in use" not in said


def test_a_folder_on_a_full_disk_can_be_claimed(tmp_path: Path, monkeypatch) -> None:
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder.os, "pwrite", full)
    with claim(tmp_path), pytest.raises(FolderInUse), claim(tmp_path):
        pass
