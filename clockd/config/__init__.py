"""triggers.yaml → triggers and problems. `from clockd import config` is the door.

`loading`    the file and its top: `load`, `Loaded`, `require`, `effective_runner`
`triggers`   one entry → one trigger
`keys`       the table of keys that reading and the JSON Schema come from
`values`     readers of single values; `names` of apps, zones and sizes, `maps` of `env`
             and the like
`zones`      the names of time zones
`variables`  `${NAME}` in `env`
`schema`     the JSON Schema
`yaml12`     YAML 1.2 → nodes with their places; `yaml_errors` says why not
`problems`   what is wrong, and where
"""

from __future__ import annotations

from clockd.config.loading import Loaded, effective_runner, load, require
from clockd.config.problems import Problem, Severity
from clockd.config.schema import json_schema, json_schema_text
from clockd.config.variables import expand_env

__all__ = [
    "Loaded",
    "Problem",
    "Severity",
    "effective_runner",
    "expand_env",
    "json_schema",
    "json_schema_text",
    "load",
    "require",
]
