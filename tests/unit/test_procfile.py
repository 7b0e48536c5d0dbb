"""The Procfile beside triggers.yaml."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from clockd import procfile


def read(folder: Path, content: str | bytes) -> dict[str, str]:
    path = folder / "Procfile"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return procfile.read(path)


@pytest.mark.parametrize(
    ("content", "types"),
    [
        pytest.param("web: node web.js\n", {"web": "node web.js"}, id="one"),
        pytest.param(
            "web: node web.js\nclock: clockd start",
            {"web": "node web.js", "clock": "clockd start"},
            id="two, the last without a newline",
        ),
        pytest.param("web:node web.js", {"web": "node web.js"}, id="no blank"),
        pytest.param("web:  a  b  \n", {"web": "a  b"}, id="blanks around it"),
        pytest.param("web: a\r\nclock: b\r\n", {"web": "a", "clock": "b"}, id="CRLF"),
        pytest.param(b"\xef\xbb\xbfweb: a\n", {"web": "a"}, id="byte order mark"),
        pytest.param("# web: a\n\nclock: b\n", {"clock": "b"}, id="comments"),
        pytest.param("web: a:b\n", {"web": "a:b"}, id="another colon"),
        pytest.param("we b: a\nweb\nweb:\nweb: \n", {}, id="nothing that fits"),
        pytest.param("web: a\nweb: b\n", {"web": "b"}, id="the last one counts"),
        pytest.param(b"web: \xff a\n", {"web": "\ufffd a"}, id="not UTF-8"),
        pytest.param(
            "web: echo a\u2028b\n", {"web": "echo a\u2028b"}, id="exotic line end"
        ),
    ],
)
def test_process_types_are_read(
    tmp_path: Path, content: str | bytes, types: dict[str, str]
) -> None:
    assert read(tmp_path, content) == types


def test_without_a_procfile_there_are_no_process_types(tmp_path: Path) -> None:
    assert procfile.read(tmp_path / "Procfile") == {}
    assert procfile.read(tmp_path) == {}


def test_a_procfile_that_cannot_be_read_just_now_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file_left(*_: object, **__: object) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_text", no_file_left)

    with pytest.raises(OSError, match="Too many open files"):
        procfile.read(tmp_path / "Procfile")


@pytest.mark.parametrize(
    ("command", "expanded"),
    [
        pytest.param("worker", "node worker.js", id="a process type"),
        pytest.param("worker --all", "node worker.js --all", id="arguments"),
        pytest.param("worker\t-x", "node worker.js\t-x", id="after a tab"),
        pytest.param("worker\n-x", "node worker.js\n-x", id="after a newline"),
        pytest.param("worker;true", "worker;true", id="part of a word"),
        pytest.param("echo worker", "echo worker", id="not the first word"),
        pytest.param("node web.js", "node web.js", id="any other command"),
        pytest.param("clock", "worker", id="expanded once only"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_the_first_word_may_name_a_process_type(command: str, expanded: str) -> None:
    types = {"worker": "node worker.js", "clock": "worker"}

    assert procfile.expand(command, types) == expanded
