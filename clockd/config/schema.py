"""The JSON Schema of triggers.yaml, for editors; made from the table of keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clockd.config.keys import OPTIONS, SCHEDULES, TOP, TOP_NAMES, TRIGGER
from clockd.config.triggers import SLUG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clockd.config.keys import Key

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema; the package ships it as `triggers.schema.json`."""
    parts = {
        **_properties(TOP),
        "defaults": {
            "description": "What holds for every trigger that does not say otherwise.",
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": _properties(OPTIONS),
        },
        "triggers": {
            "description": "What is run, and when. A slug is a trigger's identity: to "
            "rename it is to remove a trigger and to add another.",
            "type": "object",
            "propertyNames": {"pattern": f"^{SLUG.pattern}$"},
            "additionalProperties": {"$ref": "#/$defs/trigger"},
        },
    }
    return {
        "$schema": _DIALECT,
        "title": "triggers.yaml",
        "description": "The triggers of clockd.",
        "type": "object",
        "additionalProperties": False,
        "required": ["triggers"],
        "properties": {name: parts[name] for name in TOP_NAMES},
        "$defs": {"trigger": _trigger()},
    }


def json_schema_text() -> str:
    """Return the JSON Schema as the package ships it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _trigger() -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["command"],
        "oneOf": [{"required": [name]} for name in SCHEDULES],
        "properties": _properties(TRIGGER),
    }


def _properties(table: Mapping[str, Key]) -> dict[str, Any]:
    return {name: key.schema for name, key in table.items()}
