"""What must hold of every schedule, in every zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from clockd import schedule
from clockd.describe import describe
from clockd.errors import ScheduleError
from clockd.model import ScheduleKind
from clockd.schedule import Schedule

ZONES = (
    "UTC",
    "Europe/Amsterdam",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Africa/Casablanca",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Pacific/Chatham",
)


def part(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    span = st.tuples(number, number).map(lambda ab: f"{min(ab)}-{max(ab)}")
    step = st.integers(1, high)
    return st.one_of(
        st.just("*"),
        step.map(lambda n: f"*/{n}"),
        number.map(str),
        span,
        st.tuples(span, step).map(lambda x: f"{x[0]}/{x[1]}"),
        st.lists(number, min_size=2, max_size=4).map(lambda x: ",".join(map(str, x))),
    )


crons = st.tuples(part(0, 59), part(0, 23), part(1, 28), part(1, 12), part(0, 7)).map(
    " ".join
)
everies = st.sampled_from(
    ["10s", "30s", "1m", "7m", "10m", "90m", "2h", "1d", "day at 02:30", "hour at :30"]
).filter(lambda text: text != "7m")
zones = st.sampled_from(ZONES)
#: Around changes of the clocks of these zones, and anywhere.
instants = st.one_of(
    st.integers(1_230_000_000, 1_890_000_000).map(
        lambda epoch_s: datetime.fromtimestamp(epoch_s, UTC)
    ),
    st.tuples(
        st.sampled_from(
            [
                datetime(2011, 12, 30, 10, 0, tzinfo=UTC),
                datetime(2018, 11, 4, 3, 0, tzinfo=UTC),
                datetime(2024, 3, 31, 0, 0, tzinfo=UTC),
                datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
                datetime(2026, 4, 4, 15, 0, tzinfo=UTC),
                datetime(2026, 10, 25, 1, 0, tzinfo=UTC),
                datetime(2026, 11, 1, 6, 0, tzinfo=UTC),
            ]
        ),
        st.integers(-100_000, 100_000),
    ).map(lambda x: x[0] + timedelta(seconds=x[1])),
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    kind = draw(st.sampled_from([ScheduleKind.CRON, ScheduleKind.EVERY]))
    text = draw(crons if kind is ScheduleKind.CRON else everies)
    return schedule.parse(kind, text, draw(zones))


quick = settings(deadline=None, max_examples=150)


@quick
@given(schedules(), instants)
def test_fire_times_rise_and_are_whole_utc_seconds(
    parsed: Schedule, start: datetime
) -> None:
    at = start
    for _ in range(5):
        fire = parsed.next(at)
        assert fire is not None
        assert fire > at
        assert fire.tzinfo is UTC
        assert fire.microsecond == 0
        at = fire


@quick
@given(schedules(), instants)
def test_previous_and_next_agree(parsed: Schedule, start: datetime) -> None:
    fire = parsed.next(start)
    assert fire is not None

    assert parsed.previous(fire) == fire
    before = parsed.previous(fire - timedelta(seconds=1))
    assert before is None or before <= start
    if before is not None:
        assert parsed.next(before) == fire


@quick
@given(schedules(), instants, st.integers(0, 30_000), st.integers(0, 30_000))
def test_splitting_an_interval_changes_nothing(
    parsed: Schedule, start: datetime, first_s: int, second_s: int
) -> None:
    middle = start + timedelta(seconds=first_s)
    end = middle + timedelta(seconds=second_s)

    whole = list(parsed.between(start, end))

    assert whole == [*parsed.between(start, middle), *parsed.between(middle, end)]


@quick
@given(schedules(), instants, st.integers(0, 300_000))
def test_counting_is_walking(parsed: Schedule, start: datetime, span_s: int) -> None:
    end = start + timedelta(seconds=min(span_s, 20_000 if parsed.step_s else span_s))

    assert parsed.count(start, end) == len(list(parsed.between(start, end)))


@quick
@given(crons, zones, instants)
def test_a_fire_time_matches_its_fields_unless_a_gap_moved_it(
    text: str, zone: str, start: datetime
) -> None:
    parsed = schedule.parse(ScheduleKind.CRON, text, zone)
    (cron,) = parsed.crons
    fire = parsed.next(start)
    assert fire is not None
    from zoneinfo import ZoneInfo

    local = fire.astimezone(ZoneInfo(zone))
    before = (fire - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    moved = local.utcoffset() != before.utcoffset()

    exact = local.hour * 60 + local.minute in cron.fields.times
    assert moved or (exact and cron.fields.match(local.date()))


@quick
@given(crons, zones)
def test_every_schedule_has_a_description(text: str, zone: str) -> None:
    description = describe(schedule.parse(ScheduleKind.CRON, text, zone))

    assert description
    assert "None" not in description
    assert "  " not in description


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=30), zones, st.sampled_from(ScheduleKind))
def test_any_text_is_a_schedule_or_a_clear_error(
    text: str, zone: str, kind: ScheduleKind
) -> None:
    problem = None
    try:
        schedule.parse(kind, text, zone)
    except ScheduleError as error:
        problem = error

    assert problem is None or (problem.message and problem.hint)
