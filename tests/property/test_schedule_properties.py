"""What must hold of every schedule, in every zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from clockd import dst, schedule
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


days = st.one_of(part(1, 28), st.sampled_from(["L", "L,1", "31"]))
#: Each of these has 31 days.
months = st.sampled_from(["*", "1,3", "*/2", "jul-aug"])
dates = st.one_of(
    st.tuples(days, months, part(0, 7)),
    st.tuples(st.just("*"), months, st.sampled_from(["5L", "mon#2", "sun#1,wed"])),
)
crons = st.tuples(part(0, 59), part(0, 23), dates).map(
    lambda fields: " ".join([*fields[:2], *fields[2]])
)
#: At the hours in which clocks change.
night_crons = st.tuples(
    part(0, 59), st.sampled_from(["*", "0", "2", "0-3", "*/2", "23", "1,2,3"])
).map(lambda fields: f"{fields[0]} {fields[1]} * * *")
everies = st.sampled_from(
    ["10s", "30s", "1m", "10m", "48m", "90m", "2h", "1d", "day at 02:30", "hour at :30"]
)
zones = st.sampled_from(ZONES)
#: Around changes of the clocks of these zones, and anywhere from 1970 to 2199.
instants = st.one_of(
    st.integers(0, 7_226_582_400_000_000).map(
        lambda micros: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    ),
    st.tuples(
        st.sampled_from(
            [
                datetime(2008, 11, 2, 2, 31, tzinfo=UTC),
                datetime(2011, 12, 30, 10, 0, tzinfo=UTC),
                datetime(2018, 11, 4, 3, 0, tzinfo=UTC),
                datetime(2024, 3, 31, 0, 0, tzinfo=UTC),
                datetime(2026, 3, 29, 1, 0, tzinfo=UTC),
                datetime(2026, 4, 4, 15, 0, tzinfo=UTC),
                datetime(2026, 10, 25, 1, 0, tzinfo=UTC),
                datetime(2026, 11, 1, 6, 0, tzinfo=UTC),
            ]
        ),
        st.one_of(st.integers(-10_000, 10_000), st.integers(-100_000, 100_000)),
        st.sampled_from([0, 1, 999_999]),
    ).map(lambda x: x[0] + timedelta(seconds=x[1], microseconds=x[2])),
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    kind = draw(st.sampled_from([ScheduleKind.CRON, ScheduleKind.EVERY]))
    texts = st.one_of(crons, night_crons) if kind is ScheduleKind.CRON else everies
    text = draw(texts)
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
    halves = parsed.count(start, middle) + parsed.count(middle, end)
    assert parsed.count(start, end) == halves


@quick
@given(schedules(), instants, st.integers(0, 300_000))
def test_counting_is_walking(parsed: Schedule, start: datetime, span_s: int) -> None:
    end = start + timedelta(seconds=min(span_s, 20_000 if parsed.step_s else span_s))

    assert parsed.count(start, end) == len(list(parsed.between(start, end)))


@quick
@given(st.one_of(crons, night_crons), zones, instants)
def test_a_fire_time_matches_its_fields_unless_a_gap_moved_it(
    text: str, zone: str, start: datetime
) -> None:
    cron = schedule.parse(ScheduleKind.CRON, text, zone).cron
    assert cron is not None
    fire = cron.next(start)
    assert fire is not None

    local = fire.astimezone(ZoneInfo(zone))
    before = (fire - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    moved = local.utcoffset() != before.utcoffset()

    exact = cron.fields.times >> (local.hour * 60 + local.minute) & 1
    assert moved or (exact and cron.fields.match(local.date()))


@quick
@given(st.one_of(crons, night_crons), zones, instants)
def test_no_minute_that_matches_is_left_out(
    text: str, zone: str, start: datetime
) -> None:
    """Compares with a walk through ten hours; fixed jobs skip a second pass."""
    cron = schedule.parse(ScheduleKind.CRON, text, zone).cron
    assert cron is not None
    fields, where = cron.fields, ZoneInfo(zone)
    at = start.replace(second=0, microsecond=0)
    found = set(
        schedule.parse(ScheduleKind.CRON, text, zone).between(
            at, at + timedelta(hours=10)
        )
    )
    for _ in range(600):
        at += timedelta(minutes=1)
        local = at.astimezone(where)
        named = fields.times >> (local.hour * 60 + local.minute) & 1
        if named and fields.match(local.date()) and (fields.wild or not local.fold):
            assert at in found


@quick
@given(schedules(), instants)
def test_notes_on_dst_are_in_order_and_one_for_each_change(
    parsed: Schedule, start: datetime
) -> None:
    at = [note.at for note in dst.notes(parsed, start)]

    assert at == sorted(set(at))
    assert all(start < each <= start + timedelta(days=400) for each in at)


@quick
@given(
    schedules(),
    st.datetimes(timezones=st.just(UTC), allow_imaginary=False),
    st.integers(0, 10**6),
)
def test_no_year_is_out_of_reach(
    parsed: Schedule, start: datetime, span_s: int
) -> None:
    end = min(start, datetime(9999, 12, 1, tzinfo=UTC)) + timedelta(seconds=span_s)

    fire, last = parsed.next(start), parsed.previous(start)

    assert fire is None or fire > start
    assert last is None or last <= start
    assert parsed.count(start, end) >= 0
    assert dst.notes(parsed, start) is not None


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
