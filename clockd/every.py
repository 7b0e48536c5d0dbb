"""`every` in other words: text → a cron expression, or a period.              (pure)

`every` is aligned to the clock: 10m is :00, :10, :20 …, never ten minutes after the
process started.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from clockd.cron_fields import WEEKDAYS
from clockd.errors import ScheduleError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_WORDS: Final = {"minute": "1m", "hour": "1h", "day": "1d"}
_PERIOD = re.compile(r"([0-9]{1,6}) ?([smhd])")
_AT_TIME = re.compile(r"(.+) at ([0-9]{1,2}):([0-9]{2})")
_AT_MINUTE = re.compile(r"hour at :([0-9]{2})")
_AND = re.compile(r" ?, ?(?:and )?| and ")
_LONG = dict(
    zip(
        ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"],
        WEEKDAYS,
        strict=True,
    )
)
_DAYS: Final = {"day": "*", "weekday": "1-5", "weekend": "0,6"}
_EXAMPLES = "write `10m`, `2h`, `day at 02:30`, `hour at :15` or `monday at 09:00`"


@dataclass(frozen=True, slots=True)
class Every:
    """An `every` in other words: one of these is set.

    Args:
        cron: A cron expression that means the same.
        minutes: A divisor of the day that no cron expression can say.
        step_s: A divisor of the minute, in seconds.
    """

    cron: str = ""
    minutes: int = 0
    step_s: int = 0


def read_every(text: str) -> Every:
    """Return what an `every` means.

    Raises:
        ScheduleError: It cannot be read, or is no divisor of the hour or the day; the
            hint names its neighbours.
    """
    words = " ".join(text.strip().lower().split())
    words = _WORDS.get(words, words)
    if match := _PERIOD.fullmatch(words):
        return _period(int(match[1]), match[2], text)
    if match := _AT_MINUTE.fullmatch(words):
        return Every(f"{_clock(match[1], 59, text)} * * * *")
    if match := _AT_TIME.fullmatch(words):
        hour, minute = _clock(match[2], 23, text), _clock(match[3], 59, text)
        return Every(f"{minute} {hour} * * {_weekdays(match[1], text)}")
    raise _error(text, _EXAMPLES)


def _period(number: int, unit: str, text: str) -> Every:
    seconds = number * _SECONDS[unit]
    if seconds == 0 or not _fits(seconds):
        raise _error(text, _neighbours(seconds, 1 if unit == "s" else _MINUTE_S))
    if seconds < _MINUTE_S:
        return Every(step_s=seconds)
    minutes = seconds // _MINUTE_S
    if seconds < _HOUR_S and _HOUR_S % seconds == 0:
        return Every(f"*/{minutes} * * * *")
    if seconds == _DAY_S:
        return Every("0 0 * * *")
    if seconds % _HOUR_S == 0:
        return Every(f"0 */{seconds // _HOUR_S} * * *")
    return Every(minutes=minutes)


def _fits(seconds: int) -> bool:
    if seconds < _MINUTE_S:
        return _MINUTE_S % seconds == 0
    return _DAY_S % seconds == 0 and seconds % _MINUTE_S == 0


def _neighbours(seconds: int, least: int) -> str:
    fitting = [n for n in range(1, _MINUTE_S) if _fits(n)]
    fitting += [n for n in range(_MINUTE_S, _DAY_S + 1, _MINUTE_S) if _fits(n)]
    below = [n for n in fitting if least <= n < seconds][-1:]
    above = [n for n in fitting if n > seconds and n >= least][:1]
    names = " or ".join(_name(n) for n in below + above)
    rest = (
        "" if seconds < _DAY_S else "; for longer ones use `cron` or `monday at 09:00`"
    )
    return f"it must divide the hour or the day, such as {names}{rest}"


def _name(seconds: int) -> str:
    for unit, size in (("d", _DAY_S), ("h", _HOUR_S), ("m", _MINUTE_S)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _weekdays(text: str, whole: str) -> str:
    if text in _DAYS:
        return _DAYS[text]
    days = [_LONG.get(day, day) for day in _AND.split(text)]
    wrong = [day for day in days if day not in WEEKDAYS]
    if wrong:
        raise _error(whole, f"{wrong[0]!r} is no day; {_EXAMPLES}")
    return ",".join(days)


def _clock(text: str, highest: int, whole: str) -> int:
    if int(text) > highest:
        raise _error(whole, f"{text} is too high; {_EXAMPLES}")
    return int(text)


def _error(text: str, hint: str) -> ScheduleError:
    return ScheduleError(
        f"{text!r} cannot be used as `every`", hint=hint, field="every", value=text
    )
