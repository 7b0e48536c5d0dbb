from __future__ import annotations

from clockd.model import RunnerKind
from clockd.pace import LISTS_S, LISTS_SCARCE_S
from clockd.watch.polling import CALM_S, WORRIED_S, AppKey, ListSchedule

APPS = [AppKey(RunnerKind.HEROKU, f"app-{n}") for n in range(200)]


def asked(
    worried: dict[AppKey, bool], seconds: int, spacing_s: float = LISTS_S
) -> list[tuple[int, AppKey]]:
    lists, result = ListSchedule(), []
    for now in range(seconds):
        key = lists.due(worried, float(now), spacing_s=spacing_s)
        if key is not None:
            result.append((now, key))
            lists.answered(key)
    return result


def test_an_app_whose_stream_is_well_is_listed_every_five_minutes() -> None:
    times = [at for at, _ in asked({APPS[0]: False}, 1000)]

    assert times == [CALM_S, 2 * CALM_S, 3 * CALM_S]


def test_an_app_whose_stream_is_not_is_listed_every_half_minute() -> None:
    times = [at for at, _ in asked({APPS[0]: True}, 100)]

    assert times == [WORRIED_S, 2 * WORRIED_S, 3 * WORRIED_S]


def test_all_lists_together_keep_within_a_fifth_of_the_rate_limit() -> None:
    times = asked(dict.fromkeys(APPS, True), 3600)

    assert len(times) <= 3600 / LISTS_S + 1
    assert set(APPS) == {key for _, key in times}


def test_lists_are_asked_for_less_often_when_launches_need_what_is_left() -> None:
    times = asked(dict.fromkeys(APPS, True), 3600, LISTS_SCARCE_S)

    assert 170 <= len(times) <= 3600 / LISTS_SCARCE_S + 1


def test_an_app_is_not_asked_about_while_a_question_is_out() -> None:
    lists = ListSchedule()
    lists.due({APPS[0]: True}, 0.0)
    assert lists.due({APPS[0]: True}, 40.0) == APPS[0]

    assert lists.due({APPS[0]: True}, 200.0) is None
    lists.answered(APPS[0])
    assert lists.due({APPS[0]: True}, 200.0) == APPS[0]
