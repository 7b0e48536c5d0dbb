from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from clockd.reload import FileWatch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "triggers.yaml"
    path.write_text("one")
    return path


@pytest.fixture
def watch(file: Path) -> FileWatch:
    watch = FileWatch(file)
    watch.take()
    return watch


def calls(watch: FileWatch, count: int) -> list[bool]:
    return [watch.changed() for _ in range(count)]


def test_a_file_that_stays_as_it_is_has_not_changed(watch: FileWatch) -> None:
    assert calls(watch, 3) == [False, False, False]


def test_another_content_is_told_once_and_when_it_stands_still(
    watch: FileWatch, file: Path
) -> None:
    file.write_text("two, longer")

    assert calls(watch, 3) == [False, True, False]


def test_a_file_that_is_being_written_is_left_alone(
    watch: FileWatch, file: Path
) -> None:
    told = []
    for length in range(4, 8):
        file.write_text("x" * length)
        told.append(watch.changed())

    assert told == [False] * 4
    assert watch.changed()


def test_a_file_that_was_only_touched_has_not_changed(
    watch: FileWatch, file: Path
) -> None:
    os.utime(file, (1, 1))

    assert calls(watch, 3) == [False, False, False]


def test_a_change_back_before_anybody_looked_is_none(
    watch: FileWatch, file: Path
) -> None:
    file.write_text("two, longer")
    watch.changed()
    file.write_text("one")

    assert calls(watch, 3) == [False, False, False]


def test_what_was_taken_is_not_told_again(watch: FileWatch, file: Path) -> None:
    file.write_text("two, longer")
    watch.take()

    assert calls(watch, 2) == [False, False]


def test_a_file_that_is_gone_has_changed(watch: FileWatch, file: Path) -> None:
    file.unlink()

    assert calls(watch, 3) == [False, True, False]


def test_a_file_that_comes_has_changed(tmp_path: Path) -> None:
    watch = FileWatch(tmp_path / "later.yaml")
    watch.take()
    (tmp_path / "later.yaml").write_text("one")

    assert calls(watch, 3) == [False, True, False]


def test_what_could_not_be_used_is_told_again(watch: FileWatch) -> None:
    watch.forget()

    assert calls(watch, 2) == [True, False]
