"""`${NAME}` in the values of `env`: what stands there, checked and replaced.

Nothing else in triggers.yaml expands: commands are for the shell.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from clockd.config.problems import Invalid
from clockd.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: `$${` (stands for `${`), `${NAME}`, or the `${` of something that is neither.
_REFERENCE = re.compile(r"\$(\$)\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


def expand_env(env: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return a trigger's `env` with `${NAME}` replaced and `$${` become `${`.

    Args:
        env: The variables as triggers.yaml has them.
        environ: Where `NAME` is looked up; what is found there is not expanded again.

    Raises:
        ConfigError: A variable is not set; no value is named.
    """
    return {name: _expand(name, text, environ) for name, text in env.items()}


def references(text: str) -> Iterator[str]:
    """Give the names a value refers to."""
    if "${" in text:
        for found in _REFERENCE.finditer(text):
            if found[2]:
                yield found[2]


def check(text: str) -> None:
    """Raise Invalid where a `${` begins no `${NAME}`."""
    if "${" not in text:
        return
    for found in _REFERENCE.finditer(text):
        if not found[1] and not found[2]:
            raise Invalid(
                "a ${ in the value begins no ${NAME}",
                code="env",
                hint="write ${NAME}, or $${ for a ${ that stays as it is",
            )


def _expand(name: str, text: str, environ: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        wanted = found[2]
        if not wanted:
            return "${"
        if wanted not in environ:
            raise ConfigError(
                f"env {name} needs ${{{wanted}}}, which is not set",
                hint=f"set {wanted} where clockd runs "
                f"(heroku config:set {wanted}=…), or take it out of triggers.yaml",
                variable=wanted,
            )
        return environ[wanted]

    return _REFERENCE.sub(replace, text) if "${" in text else text
