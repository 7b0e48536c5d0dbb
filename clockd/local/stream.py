"""The log stream of local processes: the lines of all attempts, as they come."""

from __future__ import annotations

import os
import queue
import threading
from typing import TYPE_CHECKING, Final

from clockd import clock
from clockd.errors import RunnerUnavailable
from clockd.local.files import AttemptFiles, dyno_name
from clockd.local.reader import POLL_S, Reader
from clockd.runner import LogLine, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clockd.runner import Dyno

#: Seconds between two looks for attempts of other processes, and of silence.
LOOK_S = 1.0
#: A file that could not be read is tried again after this long.
_RETRY_S = 1.0


class Launches:
    """Tells streams of every launch of this process; thread-safe."""

    def __init__(self) -> None:
        self._inboxes: list[queue.SimpleQueue[Dyno | None]] = []
        self._lock = threading.Lock()

    def subscribe(self) -> queue.SimpleQueue[Dyno | None]:
        """Return a queue that gets every dyno launched from now on."""
        inbox: queue.SimpleQueue[Dyno | None] = queue.SimpleQueue()
        with self._lock:
            self._inboxes.append(inbox)
        return inbox

    def unsubscribe(self, inbox: queue.SimpleQueue[Dyno | None]) -> None:
        """Put nothing more into a queue."""
        with self._lock:
            if inbox in self._inboxes:
                self._inboxes.remove(inbox)

    def tell(self, dyno: Dyno) -> None:
        """Tell of a launch."""
        with self._lock:
            for inbox in self._inboxes:
                inbox.put(dyno)


class LocalStream:
    """Lines of a process type's attempts in a directory; ends when closed.

    Args:
        directory: Where the attempts' directories are.
        app: Whose attempts.
        process_type: Whose attempts.
        launched: Tells of what this process launches; others' attempts are looked for.
        tidy: Called about once a second.
    """

    def __init__(
        self,
        directory: Path,
        app: str,
        process_type: str,
        *,
        launched: Launches,
        tidy: Callable[[], object] = lambda: None,
    ) -> None:
        self._directory: Final = directory
        self._app: Final = app
        self._process_type: Final = process_type
        self._launched = launched
        self._tidy: Final = tidy
        self._inbox = launched.subscribe()
        self._readers: dict[str, Reader] = {}
        self._strangers: set[str] = set()
        self._lines_seen: dict[str, int] = {}
        self._closed = False
        self._look_at = 0.0

    def resume(self, dyno_id: str, lines_seen: int) -> None:
        """Leave out the first lines of an attempt that are on record already."""
        self._lines_seen[dyno_id] = lines_seen

    def close(self) -> None:
        """End the stream; may be called from any thread, more than once."""
        self._closed = True
        self._launched.unsubscribe(self._inbox)
        self._inbox.put(None)

    def __iter__(self) -> Iterator[LogLine | None]:
        self._expect_the_known()
        silent_since = clock.boottime()
        while not self._closed:
            now = clock.boottime()
            if now >= self._look_at:
                self._look_at = now + LOOK_S
                self._look_for_attempts()
                self._tidy()
            for line in self._read(now):
                silent_since = now
                yield line
            if now - silent_since >= LOOK_S:
                silent_since = now
                yield None
            self._wait()

    def _read(self, now: float) -> Iterator[LogLine]:
        for reader in list(self._readers.values()):
            if reader.ended or reader.due > now:
                continue
            try:
                yield from reader.read(now)
            except OSError:
                reader.due = now + _RETRY_S

    def _wait(self) -> None:
        """Wait for a launch, or until something is due, but not for each alone."""
        due = [reader.due for reader in self._readers.values() if not reader.ended]
        remaining_s = min([self._look_at, *due]) - clock.boottime()
        try:
            dyno = self._inbox.get(timeout=max(remaining_s, POLL_S))
            while True:
                if dyno is not None:
                    self._take(dyno)
                dyno = self._inbox.get_nowait()
        except queue.Empty:
            return

    # -- attempts --------------------------------------------------------------

    def _expect_the_known(self) -> None:
        """Read what is on record as launched, also where no file is left of it."""
        for key in self._lines_seen:
            files = AttemptFiles(self._directory / key)
            try:
                dyno = files.dyno()
            except OSError as error:
                raise unreadable(self._directory, error) from error
            if dyno is None:
                name = dyno_name(self._process_type, key)
                self._readers[key] = Reader(files, name, created_at=None)
            else:
                self._take(dyno)

    def _look_for_attempts(self) -> None:
        """Take in attempts of other processes; forget those that are forgotten."""
        keys = set(list_keys(self._directory))
        for key, reader in list(self._readers.items()):
            if reader.ended and key not in keys:
                del self._readers[key]
        self._strangers &= keys
        for key in keys - self._readers.keys() - self._strangers:
            files = AttemptFiles(self._directory / key)
            try:
                dyno = files.dyno() if files.started else None
                prevented = files.prevented
            except OSError:
                continue
            if prevented:
                self._strangers.add(key)
            elif dyno is not None:
                self._take(dyno)

    def _take(self, dyno: Dyno) -> None:
        if (dyno.app, dyno.process_type) != (self._app, self._process_type):
            self._strangers.add(dyno.id)
        elif dyno.id not in self._readers:
            self._readers[dyno.id] = Reader(
                AttemptFiles(self._directory / dyno.id),
                dyno.name,
                created_at=dyno.created_at,
                skip=self._lines_seen.get(dyno.id, 0),
            )


def list_keys(directory: Path) -> list[str]:
    """Return the keys of the attempts in a directory, sorted; none if it is missing.

    Raises:
        RunnerUnavailable: It cannot be read.
    """
    try:
        with os.scandir(directory) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(directory, error) from error


def unreadable(directory: Path, error: OSError) -> RunnerUnavailable:
    """Return what to raise where files of attempts cannot be read."""
    return RunnerUnavailable(
        f"the files of local runs in {directory} cannot be used: {error.strerror}",
        kind=Unavailable.CONNECTION,
        hint="may this user read them, and are there open files left (ulimit -n)?",
    )
