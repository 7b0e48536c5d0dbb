"""triggers.yaml → `Loaded`: reading the file, its top, and who runs its tasks."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from clockd.config import yaml12
from clockd.config.keys import OPTIONS, TOP, TOP_NAMES, TRIGGER
from clockd.config.maps import entries, unknown_key
from clockd.config.problems import START, Invalid, Problem, Report, Severity, TooMany
from clockd.config.triggers import TriggerReader
from clockd.config.values import mapping
from clockd.config.yaml12 import Mapping, Scalar
from clockd.config.yaml_errors import position
from clockd.errors import ConfigError
from clockd.model import NO_LIMITS, Limits, RunnerKind

if TYPE_CHECKING:
    from collections.abc import Mapping as Table
    from collections.abc import Sequence

    from clockd.config.yaml12 import Node
    from clockd.model import Trigger
    from clockd.settings import Settings

#: A longer file is a mistake: ten thousand triggers take a tenth of this.
MAX_BYTES: Final = 10_000_000
_EXAMPLE = "begin with `version: 1` and `triggers:`; clockd init writes an example"
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a triggers.yaml says.

    Args:
        triggers: Those without an error, in the file's order. With an error at the top
            of the file or in `defaults`, or with a thousand errors: none.
        problems: The errors, in the file's order; with any, the file is not to be used.
        warnings: What is probably not meant, in the file's order.
        runner: `heroku`, `local` or `auto`, as written; see `effective_runner`.
        app: The app of triggers that name none; empty without one.
        timezone: The zone of triggers that name none.
        limits: How much may run.
        path: The file; None for a text that is in none.
        lines: The line of each trigger, from 1, by slug.
        digest: SHA-256 of the content, in hexadecimal; empty if it cannot be read. Of a
            file that is too long, of its beginning.
    """

    triggers: tuple[Trigger, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    runner: str = "auto"
    app: str = ""
    timezone: str = "UTC"
    limits: Limits = NO_LIMITS
    path: Path | None = None
    lines: Table[str, int] = field(default_factory=lambda: MappingProxyType({}))
    digest: str = ""


def load(
    path: Path | None,
    text: str | None = None,
    *,
    settings: Settings,
    environ: Table[str, str] | None = None,
) -> Loaded:
    """Read a triggers.yaml. Never raises: what is wrong is in the result.

    Args:
        path: The file; with a `text`, only what problems call it.
        text: The content, where it is not to be read from the file.
        settings: The environment's settings: the runner and the app they name count.
        environ: The variables that `env` may refer to; the process's own by default.
    """
    report = Report("triggers.yaml" if path is None else str(path))
    digest = ""
    try:
        content = _read(path) if text is None else text.encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(content).hexdigest()
        root = yaml12.parse(_decode(content), report)
    except Invalid as error:
        report.invalid(START, error)
        return _finish(report, path=path, digest=digest)
    top = _Top(report, settings, os.environ if environ is None else environ)
    if not report.errors or root is not None:
        with suppress(TooMany):
            top.read(root)
            top.complete = True
    return _finish(
        report,
        triggers=tuple(top.triggers) if top.complete else (),
        runner=top.values.get("runner", "auto"),
        app=top.values.get("app") or settings.heroku_app_name,
        timezone=top.timezone,
        limits=Limits(timezone=top.timezone, **top.values.get("limits", {})),
        path=path,
        lines=MappingProxyType(top.lines),
        digest=digest,
    )


def require(loaded: Loaded) -> None:
    """Make sure that a file can be used.

    Raises:
        ConfigError: It has problems; `data["problems"]` lists them all.
    """
    if not loaded.problems:
        return
    name = loaded.problems[0].file
    count = len(loaded.problems)
    raise ConfigError(
        f"{name} has a problem" if count == 1 else f"{name} has {count} problems",
        hint="`clockd check` shows them all",
        problems=loaded.problems,
    )


def effective_runner(loaded: Loaded, settings: Settings) -> RunnerKind:
    """Return where tasks run: CLOCKD_RUNNER, else the file, else what is there."""
    return _runner(loaded.runner, settings)


def _runner(written: str, settings: Settings) -> RunnerKind:
    if settings.runner is not None:
        return settings.runner
    if written != "auto":
        return RunnerKind(written)
    return settings.detected_runner


def _finish(report: Report, **values: Any) -> Loaded:
    return Loaded(
        problems=report.found(Severity.ERROR),
        warnings=report.found(Severity.WARNING),
        **values,
    )


def _read(path: Path | None) -> bytes:
    if path is None:
        raise Invalid("there is no file", code="file", hint=_EXAMPLE)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "clockd init writes one; CLOCKD_TRIGGERS names another"
        raise Invalid("there is no such file", code="file", hint=hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Invalid(f"the file cannot be read: {reason}", code="file") from error
    return content


def _decode(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        raise Invalid(f"the file is longer than {MAX_BYTES:,} bytes", code="file")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Invalid("the file is UTF-16", code="encoding", hint="save it as UTF-8")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8").removeprefix(_BOM)
        raise Invalid(
            f"the byte 0x{content[error.start]:02X} is no UTF-8",
            code="encoding",
            hint="save the file as UTF-8",
            place=position(before, len(before)),
        ) from error
    return text.removeprefix(_BOM)


class _Top:
    """The top of a file, and through it the rest."""

    def __init__(
        self, report: Report, settings: Settings, environ: Table[str, str]
    ) -> None:
        self.values: dict[str, Any] = {}
        self.triggers: list[Trigger] = []
        self.lines: dict[str, int] = {}
        self.complete = False
        #: Whether a key that is not known holds a map: the triggers may be in it.
        self._elsewhere = False
        self._nodes: dict[str, Node] = {}
        self._report = report
        self._settings = settings
        self._environ = environ

    @property
    def timezone(self) -> str:
        """The file's zone."""
        zone: str = self.values.get("timezone", "UTC")
        return zone

    def read(self, root: Node | None) -> None:
        """Read the whole tree."""
        if root is None or root.kind is yaml12.Kind.NULL:
            self._report.error(START, "the file is empty", code="file", hint=_EXAMPLE)
        elif not isinstance(root, Mapping):
            self._report.error(
                root,
                f"the file holds {root.kind.value}, not a map",
                code="type",
                hint=_EXAMPLE,
            )
        else:
            self._read_keys(root)
            self._read_triggers(root)

    def _read_keys(self, root: Mapping) -> None:
        for key, value in entries(root, self._report):
            if key.text not in TOP_NAMES:
                self._report.invalid(key, _unknown(key.text, value))
                self._elsewhere |= isinstance(value, Mapping)
                continue
            self._nodes[key.text] = value
            spec = TOP.get(key.text)
            if spec is None:
                continue
            if spec.later:
                self._report.warning(
                    key,
                    f"`{key.text}` is not supported yet, and has no effect",
                    code="not-supported",
                )
            try:
                self.values[key.text] = spec.read(value, self._report)
            except Invalid as error:
                self._report.invalid(value, error)
        if "version" not in self._nodes:
            self._report.warning(
                START, "there is no version", code="version", hint="write version: 1"
            )

    def _read_triggers(self, root: Mapping) -> None:
        broken = "app" in self._nodes and "app" not in self.values
        app = self.values.get("app") or self._settings.heroku_app_name
        reader = TriggerReader(
            self._report,
            local=self._local(),
            app=None if broken else app,
            timezone=self.timezone,
            environ=self._environ,
        )
        if "defaults" in self._nodes:
            reader.read_defaults(self._nodes["defaults"])
        above = self._report.errors
        found = self._entries(root)
        self._mind_limit(found)
        for slug, node in found:
            self.lines[slug.text] = slug.line
            trigger = reader.read(slug, node)
            if trigger is not None and not above:
                self.triggers.append(trigger)

    def _mind_limit(self, found: Sequence[tuple[Scalar, Node]]) -> None:
        most: int | None = self.values.get("limits", {}).get("triggers")
        if most is not None and len(found) > most:
            one_too_many, _ = found[most]
            self._report.error(
                one_too_many,
                f"the file has {len(found)} triggers, its limit is {most}",
                code="limit",
                hint="take some out, or raise `triggers` under `limits`",
            )

    def _local(self) -> bool:
        runner = _runner(self.values.get("runner", "auto"), self._settings)
        return runner is RunnerKind.LOCAL

    def _entries(self, root: Mapping) -> list[tuple[Scalar, Node]]:
        node = self._nodes.get("triggers")
        if node is None and self._elsewhere:
            return []
        if node is None or node.kind is yaml12.Kind.NULL:
            self._report.error(
                node or root,
                "there are no triggers",
                code="missing-key",
                hint="add `triggers:` with an entry for each; `triggers: {}` for none",
            )
            return []
        try:
            found = mapping(node, "write each trigger as `slug:`, its keys below it")
        except Invalid as error:
            self._report.invalid(node, error)
            return []
        if not found.items:
            self._report.warning(
                node, "there are no triggers: nothing will run", code="missing-key"
            )
        return list(entries(found, self._report, what="slug"))


def _unknown(name: str, value: Node) -> Invalid:
    if isinstance(value, Mapping) and any(
        isinstance(key, Scalar) and key.text == "command" for key, _ in value.pairs()
    ):
        return Invalid(
            f"the trigger {name!r} is not under `triggers`",
            code="unknown-key",
            hint="indent it, and put it under `triggers:`",
        )
    if name in TRIGGER:
        where = "under `defaults:`, or into a trigger"
        return Invalid(
            f"`{name}` belongs to a trigger",
            code="unknown-key",
            hint=f"put it {where if name in OPTIONS else 'into one'}",
        )
    return unknown_key(name, TOP_NAMES)
