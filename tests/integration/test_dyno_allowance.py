"""What is left of the rate limit, as answers tell."""

from __future__ import annotations

import pytest

from clockd import clock
from clockd.dyno import HerokuRunner
from clockd.errors import RunnerUnavailable
from clockd.heroku.answers import Answer
from tests.fakes.heroku import FakeHeroku


@pytest.mark.parametrize(
    ("status", "header", "left"),
    [
        (200, "2399", 2399),
        (503, "7", 7),
        (200, None, None),
        (200, "", None),
        (200, "-1", None),
        (200, "many", None),
        (200, "\u0663", None),
        (200, "9" * 400, None),
        (429, None, 0),
        (429, "12", 0),
    ],
    ids=[
        *("told", "told with an error", "not told", "empty", "negative", "a word"),
        *("other digits", "absurd", "429", "429 with a remainder"),
    ],
)
def test_an_answer_tells_what_is_left(
    status: int, header: str | None, left: int | None
) -> None:
    headers = {} if header is None else {"RateLimit-Remaining": header}

    assert Answer(status=status, headers=headers, body=None).requests_left == left


def test_a_runner_knows_what_is_left_from_its_last_answer() -> None:
    with FakeHeroku() as fake:
        runner = HerokuRunner(fake.key, api_url=fake.url)
        assert runner.allowance is None
        try:
            runner.dynos(fake.app.name)
            first = runner.allowance
            assert first is not None
            assert first.left == 4499
            assert abs(clock.boottime() - first.told_at) < 10

            fake.tokens = 0.0
            with pytest.raises(RunnerUnavailable):
                runner.dynos(fake.app.name)
            assert runner.allowance is not None
            assert runner.allowance.left == 0
        finally:
            runner.close()
