"""Whatever stands in triggers.yaml, it is read or told what is wrong with it."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from clockd import config, schedule
from clockd.config.keys import OPTIONS, TOP_NAMES, TRIGGER
from clockd.config.names import SIZES
from clockd.errors import ConfigError
from clockd.model import CatchUp, Output, Overlap, ScheduleKind, Source, Trigger
from tests.support.configs import HEROKU, LOCAL, read

#: A file that has nearly everything, to be damaged.
GOOD = """\
version: 1
app: my-app
runner: auto
timezone: Europe/Amsterdam
defaults: {timeout: 30m, env: {A: "${HOME}"}}
limits: {triggers: 100}
triggers:
  monday-newsletter:  # every week
    name: "Monday: morning"
    command: |
      node bin/send.js
      echo 'done'
    cron: "0 9 * * 1"
    env: &env {LOG_LEVEL: debug, N: 1.50}
  heartbeat: {command: bin/heartbeat, every: 10m, jitter: 30s, env: *env}
  christmas:
    command: worker --greetings
    at: 2026-12-25 09:00:00
    catch_up: {within: 6h, run: all}
    retries: 2
    active: false
    healthcheck: ${PING}
"""
#: Characters that mean something to YAML, and some that may not be there.
MARKS = "\t\n\r :-#&*!|>'\"%@`[]{},~\\\0\x85\u2028\ufeffé0xax$=<"

quick = settings(deadline=None, max_examples=200)
runners = st.sampled_from([HEROKU, LOCAL])


def check(text: str, runner: Any) -> None:
    """Read a text, and look whether what is said about it can be true."""
    loaded = read(text, runner)

    lines = re.split("\r\n|\r|\n", text)
    for problem in (*loaded.problems, *loaded.warnings):
        assert 1 <= problem.line <= len(lines), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert problem.message
        assert str(problem).isprintable(), problem
    for found in (loaded.problems, loaded.warnings):
        places = [(problem.line, problem.column) for problem in found]
        assert places == sorted(places)
    for trigger in loaded.triggers:
        schedule.parse(trigger.schedule_kind, trigger.expression, trigger.timezone)
        assert Trigger.from_definition(trigger.to_definition()) == trigger


@quick
@given(st.text(max_size=200), runners)
def test_any_text_is_read_or_told_what_is_wrong(text: str, runner: Any) -> None:
    check(text, runner)


@quick
@given(st.text(alphabet=st.sampled_from(MARKS), max_size=60), runners)
def test_any_text_of_yamls_own_characters(text: str, runner: Any) -> None:
    check(text, runner)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    text = GOOD
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(text)))
        end = min(begin + draw(st.sampled_from([0, 0, 1, 1, 2, 5, 40])), len(text))
        put = draw(
            st.one_of(
                st.sampled_from(MARKS),
                st.text(max_size=3),
                st.sampled_from(
                    [GOOD, "\n  a: ", "*env", "<<: *env", "  heartbeat: {}"]
                ),
            )
        )
        text = text[:begin] + put + text[end:]
    return text


@settings(deadline=None, max_examples=400)
@given(damaged(), runners)
def test_a_damaged_file_is_read_or_told_what_is_wrong(text: str, runner: Any) -> None:
    check(text, runner)


names = st.sampled_from(
    [*map(str, TRIGGER), *TOP_NAMES, "tiemout", "x", "within", "run", "to"]
)
scalars = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    st.sampled_from(["10m", "7m", "none", "local", "all", "skip", "${A}", "${", "UTC"]),
    st.sampled_from(["0 9 * * 1", "@daily", "2026-12-25 09:00", "private-s", "1s"]),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(names, st.text(max_size=4)), inner, max_size=4),
    ),
    max_leaves=12,
)
entries = st.dictionaries(names, trees, max_size=6)
files = st.fixed_dictionaries(
    {
        "triggers": st.dictionaries(
            st.sampled_from(["a", "b", "C"]), entries, max_size=3
        )
    },
    optional={
        **dict.fromkeys(["app", "runner", "timezone", "limits", "alerts"], trees),
        "defaults": st.dictionaries(st.sampled_from([*OPTIONS]), trees, max_size=4),
    },
)


@quick
@given(st.one_of(trees, files), runners, st.booleans())
def test_any_structure_is_read_or_told_what_is_wrong(
    tree: Any, runner: Any, flow: bool
) -> None:
    check(yaml.safe_dump(tree, allow_unicode=True, default_flow_style=flow), runner)


texts = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc", "Zl", "Zp"],
        exclude_characters="\ufeff\ufffe\uffff",
    ),
    min_size=1,
    max_size=20,
).filter(str.strip)
seconds = st.integers(60, 86_400)
#: Keys with values that can be used, and what becomes of them.
good_triggers = st.builds(
    Trigger,
    slug=st.from_regex("[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
    command=texts,
    schedule_kind=st.just(ScheduleKind.CRON),
    expression=st.sampled_from(["0 9 * * 1", "*/5 * * * *", "@daily", "0 0 L * *"]),
    timezone=st.sampled_from(["UTC", "Europe/Amsterdam", "Pacific/Apia"]),
    name=texts,
    app=st.from_regex("[a-z][a-z0-9-]{1,8}[a-z0-9]", fullmatch=True),
    dyno=st.sampled_from(SIZES),
    timeout_s=st.integers(240, 86_400),
    active=st.booleans(),
    overlap=st.sampled_from(Overlap),
    catch_up=st.builds(
        CatchUp, within_s=st.integers(0, 2_592_000), run_all=st.booleans()
    ),
    retries=st.integers(0, 10),
    retry_delay_s=seconds,
    jitter_s=seconds,
    env=st.dictionaries(
        st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True),
        texts.filter(lambda text: "${" not in text),
        max_size=3,
    ),
    output=st.sampled_from(Output),
)


def as_entry(trigger: Trigger) -> dict[str, Any]:
    """Return a trigger as somebody could have written it."""
    rule = trigger.catch_up
    return {
        "name": trigger.name,
        "command": trigger.command,
        trigger.schedule_kind.value: trigger.expression,
        "timezone": trigger.timezone,
        "app": trigger.app,
        "dyno": trigger.dyno,
        "timeout": trigger.timeout_s,
        "active": trigger.active,
        "overlap": trigger.overlap.value,
        "catch_up": {
            "within": rule.within_s,
            "run": "all" if rule.run_all else "newest",
        },
        "retries": trigger.retries,
        "retry_delay": f"{trigger.retry_delay_s}s",
        "jitter": trigger.jitter_s,
        "env": dict(trigger.env),
        "output": trigger.output.value,
    }


@quick
@given(st.lists(good_triggers, max_size=3, unique_by=lambda one: one.slug))
def test_what_is_written_is_what_is_read(triggers: list[Trigger]) -> None:
    written = {trigger.slug: as_entry(trigger) for trigger in triggers}

    # JSON is YAML that can be read in one way only.
    loaded = read(json.dumps({"version": 1, "triggers": written}, ensure_ascii=False))

    assert loaded.problems == ()
    assert list(loaded.triggers) == triggers


@quick
@given(good_triggers, st.sampled_from(Source))
def test_a_trigger_survives_its_definition(trigger: Trigger, source: Source) -> None:
    definition = {**trigger.to_definition(), "source": source.value}

    again = Trigger.from_definition(definition)

    assert again.to_definition() == definition
    assert again.source is source
    assert Trigger.from_definition(trigger.to_definition()) == trigger


@quick
@given(
    st.dictionaries(st.sampled_from("ABC"), st.text(max_size=20)),
    st.dictionaries(st.sampled_from("ABC"), st.text(max_size=20)),
)
def test_any_variables_expand_or_one_is_missing(
    env: dict[str, str], environ: dict[str, str]
) -> None:
    missing = ""
    try:
        expanded = config.expand_env(env, environ)
    except ConfigError as error:
        missing = str(error.data["variable"])
    else:
        assert set(expanded) == set(env)

    assert missing not in environ
