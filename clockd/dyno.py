"""Runs tasks on Heroku one-off dynos.

The only module that knows heroku3. Each thread has a connection of its own over one
pool of sockets. What an answer means is said in `heroku.answers`; here it is asked for.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import heroku3.api

from clockd import clock
from clockd.errors import LaunchRejected, RunnerUnavailable
from clockd.heroku import answers, checks, http, logstream, sockets
from clockd.heroku.answers import Answer
from clockd.model import RunnerKind
from clockd.pace import Allowance
from clockd.redaction import register_secret
from clockd.runner import Unavailable
from clockd.settings import DEFAULT_API_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from clockd.heroku.answers import Reply
    from clockd.runner import Check, Dyno, LaunchRequest, LogLine, LogStream

_FIRST_RANGE = "id ..; max=1000"
_MOST_PAGES = 100
#: For an answer without the dyno's time of creation: well before any of its lines.
_BEFORE = timedelta(seconds=5)
#: The time of an answer that took longer says too little about the clocks.
_PROMPT_S = 2.0
#: A `Date` has whole seconds, cut off: half of one is missing on average.
_CUT_OFF_S = 0.5
_APP = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,127}")


class HerokuRunner:
    """Starts, lists, stops and follows one-off dynos; see `runner.Runner`.

    Every method may be called from any thread. An app that is not found is reported
    as `RunnerUnavailable` (kind `conflict`) where dynos are listed, never as an empty
    list: a key that lost its access gets the same answer, and its dynos still run.

    Args:
        api_key: The token; it never appears in a message.
        api_url: The Platform API, or a proxy of it.
        connect_s: Seconds after which connecting is given up.
        read_s: Seconds after which waiting for an answer is given up.

    Raises:
        SettingsError: The key, the URL or REQUESTS_CA_BUNDLE cannot be used.
    """

    kind: Final = RunnerKind.HEROKU
    authoritative: Final = False

    def __init__(
        self,
        api_key: str,
        *,
        api_url: str = DEFAULT_API_URL,
        connect_s: float = http.CONNECT_S,
        read_s: float = http.READ_S,
    ) -> None:
        register_secret(api_key)
        http.require_key(api_key)
        self._key = api_key
        self._host = http.host_of(api_url)
        self._access = http.Access(
            url=api_url.rstrip("/"), connect_s=connect_s, read_s=read_s
        )
        self._local = threading.local()
        self._count_lock = threading.Lock()
        #: What the platform's clock showed, and when on `boottime`.
        self._platform_time: tuple[datetime, float] | None = None
        #: What is left of the account's rate limit, as the last answer told.
        self.allowance: Allowance | None = None
        #: API requests by call and HTTP status, 0 where no answer came.
        self.requests_made: Counter[tuple[str, int]] = Counter()

    def __repr__(self) -> str:
        return f"<HerokuRunner on {self._host}>"

    @property
    def skew_s(self) -> float | None:
        """How many seconds our wall clock is ahead of the platform's.

        None before the first answer. The platform's time goes on with `boottime`, so
        that a jump of our wall clock is told at once, not with the next answer.
        """
        if self._platform_time is None:
            return None
        shown, seen_at = self._platform_time
        there = shown + timedelta(seconds=clock.boottime() - seen_at)
        return (clock.now() - there).total_seconds()

    def close(self) -> None:
        """Close the sockets that rest; open log streams are not touched."""
        self._access.transport.close()

    # -- what a Runner does ----------------------------------------------------

    def launch(self, request: LaunchRequest, *, guard: Callable[[], None]) -> Dyno:
        """Start one dyno; without its size where the app may not have it.

        Raises:
            LaunchRejected: Certainly not created; asking again is no use.
            RunnerUnavailable: Certainly not created; may work later.
            LaunchUnknown: The request went out and no readable answer came back.
            BaseException: What `guard` raised, unchanged; nothing was sent.
        """
        if not _APP.fullmatch(request.app):
            raise LaunchRejected(
                f"{request.app!r} is not the name of a Heroku app",
                hint="set `app` in triggers.yaml, or HEROKU_APP_NAME",
            )
        reply, dyno = self._create(request, guard)
        if request.size is not None and answers.is_size_refused(reply):
            warning = (
                f"size {request.size} is not available for this app; "
                "started on its default size"
            )
            reply, dyno = self._create(replace(request, size=None), guard)
            dyno = replace(dyno, warning=warning) if dyno else None
        if dyno is None:
            raise answers.launch_failure(reply, request)
        return dyno

    def dynos(self, app: str, process_type: str | None = None) -> Sequence[Dyno]:
        """List the app's dynos, of one process type or of all, every page of them.

        Raises:
            RunnerUnavailable: The list could not be read to its end.
        """
        found: list[Dyno] = []
        next_range: str | None = _FIRST_RANGE
        for _ in range(_MOST_PAGES):
            if next_range is None:
                break
            reply = self._ask("dyno-list", "GET", *_path(app), valrange=next_range)
            found += answers.to_dynos(reply, app=app)
            next_range = answers.next_range(reply)
        else:
            raise RunnerUnavailable(
                f"the list of the dynos of {app} has no end",
                kind=Unavailable.CONNECTION,
            )
        return [d for d in found if process_type in (None, d.process_type)]

    def stop(self, dyno: Dyno) -> None:
        """Ask for a dyno to be stopped, by its name; a dyno that is gone is fine.

        Raises:
            RunnerUnavailable: The platform could not be asked, or refused.
        """
        # DELETE would leave a dyno of our process type running.
        path = _path(dyno.app, dyno.name, "actions", "stop")
        reply = self._ask("dyno-stop", "POST", *path)
        if not isinstance(reply, Answer) or not (reply.ok or reply.status == 404):
            raise answers.unavailable(reply, f"{dyno.name} was not stopped")

    def follow(self, app: str, process_type: str, *, lines: int) -> LogStream:
        """Open the log stream of a process type, with up to `lines` older lines first.

        Raises:
            RunnerUnavailable: It could not be opened.
        """
        what = f"the log stream of {app} could not be opened"
        options = {"dyno": process_type, "lines": lines, "tail": True}
        source = self._open_log(app, what, options, endless=True)
        return logstream.HerokuLogStream(source)

    def history(self, app: str, *, lines: int) -> Sequence[LogLine]:
        """Return the app's last lines, of every source and dyno, oldest first.

        Raises:
            RunnerUnavailable: They could not be read to their end.
        """
        what = f"the log of {app} could not be read"
        options = {"lines": lines, "tail": False}
        source = self._open_log(app, what, options, endless=False)
        decoder = logstream.LineDecoder(source.content_type)
        try:
            blocks = http.read_to_end(source, what)
            found = [line for block in blocks for line in decoder.feed(block)]
        finally:
            source.close()
        return sorted(found, key=lambda line: line.at)

    def forget(self, dyno: Dyno) -> None:
        """Do nothing: nothing is kept of a dyno here."""

    # -- what doctor asks ------------------------------------------------------

    def account_checks(self) -> list[Check]:
        """Find out what holds for every app: the key, our clock, the requests left.

        Where the first one fails the key is no good, and no app is worth asking about.
        """
        return checks.check_account(self._ask_for_check)

    def app_checks(
        self, app: str, *, process_type: str = "clockd", known: Collection[str] = ()
    ) -> list[Check]:
        """Find out whether clockd can work with this app.

        Args:
            app: The app.
            process_type: The process type of clockd's dynos; may hold `{trigger}`.
            known: Ids of the dynos that clockd has on record.
        """
        return checks.check_one_app(
            self._ask_for_check,
            lambda: self.dynos(app),
            app,
            process_type=process_type,
            known=known,
        )

    def _ask_for_check(self, call: str, *path: str, accept: str | None = None) -> Reply:
        return self._ask(call, "GET", *map(_quote, path), accept=accept)

    # -- requests --------------------------------------------------------------

    def _create(
        self, request: LaunchRequest, guard: Callable[[], None]
    ) -> tuple[Reply, Dyno | None]:
        body: dict[str, Any] = {
            "attach": False,
            "command": request.command,
            "env": dict(request.env),
            "time_to_live": request.time_to_live_s,
            "type": request.process_type,
        }
        if request.size is not None:
            body["size"] = request.size
        before = clock.now() - timedelta(seconds=self.skew_s or 0.0) - _BEFORE
        path = _path(request.app)
        reply = self._ask("dyno-create", "POST", *path, body=body, guard=guard)
        if not isinstance(reply, Answer) or not reply.ok:
            return reply, None
        dyno = answers.to_dyno(reply.json(), app=request.app, created_at=before)
        return reply, dyno

    def _open_log(
        self, app: str, what: str, options: Mapping[str, object], *, endless: bool
    ) -> http.ByteStream:
        path = ("apps", _quote(app), "log-sessions")
        reply = self._ask("log-session", "POST", *path, body=options)
        if not isinstance(reply, Answer) or not reply.ok:
            raise answers.unavailable(reply, what)
        session = reply.json()
        url = session.get("logplex_url") if isinstance(session, dict) else None
        return http.open_log(self._access, url, what=what, endless=endless)

    def _ask(
        self,
        call: str,
        method: str,
        *path: str,
        body: Mapping[str, object] | None = None,
        valrange: str | None = None,
        accept: str | None = None,
        guard: Callable[[], None] | None = None,
    ) -> Reply:
        """Send one request through heroku3, once, and return what came back."""
        connection = self._connection()
        data = None if body is None else json.dumps(body)
        began = clock.boottime()
        with sockets.Exchange(guard=guard, accept=accept) as exchange:
            try:
                connection._http_resource(method, path, data=data, valrange=valrange)
            except (heroku3.api.RateLimitExceeded, *sockets.FAILURES) as caught:
                exchange.failure = caught
        reply = exchange.reply()
        self._note_time(reply, began, clock.boottime() - began)
        self._note_allowance(reply)
        status = reply.status if isinstance(reply, Answer) else 0
        with self._count_lock:
            self.requests_made[call, status] += 1
        return reply

    def _note_time(self, reply: Reply, began: float, took_s: float) -> None:
        """Note the platform's time: an answer is given half-way, to the second."""
        if not isinstance(reply, Answer) or reply.date is None or took_s > _PROMPT_S:
            return
        shown = reply.date + timedelta(seconds=_CUT_OFF_S)
        self._platform_time = shown, began + took_s / 2

    def _note_allowance(self, reply: Reply) -> None:
        left = reply.requests_left if isinstance(reply, Answer) else None
        if left is not None:
            self.allowance = Allowance(left, clock.boottime())

    def _connection(self) -> Any:
        """Return this thread's heroku3 connection.

        heroku3 cannot be told the URL, and its `authenticate` spends a request on each
        connection: both are set directly.
        """
        connection = getattr(self._local, "connection", None)
        if connection is None:
            access = self._access
            session = http.Session(access, access.url, key=self._key)
            connection = heroku3.api.Heroku(session=session)
            connection._heroku_url = access.url
            self._local.connection = connection
        return connection


def _path(app: str, *rest: str) -> tuple[str, ...]:
    return ("apps", _quote(app), "dynos", *map(_quote, rest))


def _quote(part: str) -> str:
    return quote(part, safe="")
