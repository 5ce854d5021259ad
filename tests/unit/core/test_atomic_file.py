"""Files that are replaced as a whole."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import IO, Any

import pytest

from capability_router.atomic_file import replaced, write_text_atomically


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize("stopped", [OSError("disk full"), KeyboardInterrupt()], ids=["error", "stopped"])
def test_what_stops_the_writer_leaves_the_old_file_and_nothing_else(tmp_path: Path, stopped: BaseException) -> None:
    path = tmp_path / "page.html"
    write_text_atomically(path, "old")

    def half(file: IO[Any]) -> None:
        file.write("ne")
        raise stopped

    with pytest.raises(type(stopped)):
        replaced(path, half)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_is_as_private_as_asked_and_an_old_one_as_it_was(tmp_path: Path) -> None:
    mine, ours = tmp_path / "mine", tmp_path / "ours"
    write_text_atomically(mine, "1", 0o600)
    write_text_atomically(ours, "1")
    assert (mode(mine), mode(ours)) == (0o600, 0o640)
    ours.chmod(0o604)
    write_text_atomically(ours, "2", 0o600)
    assert (mode(ours), ours.read_text()) == (0o604, "2")


def test_a_link_goes_on_leading_to_its_file(tmp_path: Path) -> None:
    far, link = tmp_path / "far", tmp_path / "link"
    far.mkdir()
    link.symlink_to(far / "file")
    write_text_atomically(link, "new")
    assert link.is_symlink()
    assert (far / "file").read_text() == "new"


def test_links_that_lead_to_each_other_are_an_error(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.symlink_to(other)
    other.symlink_to(one)
    with pytest.raises(OSError, match="symbolic links"):
        write_text_atomically(one, "new")
    assert one.is_symlink()


def test_another_name_of_the_same_file_has_what_was_written(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("old")
    other.hardlink_to(one)
    write_text_atomically(one, "new")
    assert other.read_text() == "new"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_another_users_file_stays_theirs(tmp_path: Path) -> None:
    path = tmp_path / "page"
    write_text_atomically(path, "old", 0o600)
    os.chown(path, 12_345, 12_345)
    write_text_atomically(path, "new")
    assert (path.stat().st_uid, mode(path), path.read_text()) == (12_345, 0o600, "new")


def test_a_file_in_a_folder_that_takes_no_other_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, barred = tmp_path / "page", {tmp_path}
    write_text_atomically(path, "old")
    before = path.stat().st_ino
    monkeypatch.setattr(os, "access", lambda asked, _: asked not in barred)  # root may do all things
    write_text_atomically(path, "new")
    assert (path.stat().st_ino, path.read_text()) == (before, "new")


def test_output_into_a_file_without_a_name_arrives(tmp_path: Path) -> None:
    with (tmp_path / "output").open("w+") as file:
        (tmp_path / "output").unlink()
        write_text_atomically(Path(f"/dev/fd/{file.fileno()}"), "through")
        file.seek(0)
        assert file.read() == "through"
    assert list(tmp_path.iterdir()) == []


def test_what_is_private_is_so_while_it_is_written_and_long_names_are_no_error(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    write_text_atomically(path, "old", 0o600)

    def looked(file: IO[Any]) -> list[int]:
        return [mode(each) for each in tmp_path.iterdir() if each != path]

    assert replaced(path, looked) == [0o700]


def test_a_pipe_is_written_straight(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", list[str]()
    os.mkfifo(pipe)
    reader = Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_text_atomically(pipe, "through")
    reader.join(10)
    assert read == ["through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_lines_end_as_they_were_written_and_bytes_are_bytes(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text_atomically(path, "a\r\nb\n")
    assert path.read_bytes() == b"a\r\nb\n"
    assert replaced(path, lambda file: file.write(b"\x1a\n"), binary=True) == 2
    assert path.read_bytes() == b"\x1a\n"


def test_threads_that_write_the_same_file_each_write_it_whole(tmp_path: Path) -> None:
    path, texts = tmp_path / "file", [str(n) * 50_000 for n in range(8)]
    threads = [Thread(target=write_text_atomically, args=(path, text)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]
