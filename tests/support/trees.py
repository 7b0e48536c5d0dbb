"""Makes of a YAML text what an editor makes of it: lists, dicts and scalars."""

from __future__ import annotations

from typing import Any

from clockd.config import yaml12
from clockd.config.problems import Report, Severity
from clockd.config.yaml12 import Kind, Mapping, Node, Scalar


def tree(text: str) -> Any:
    """Return the values of a text by YAML 1.2's core schema; keys as text."""
    report = Report("f")
    root = yaml12.parse(text, report)
    assert report.found(Severity.ERROR) == ()
    return None if root is None else _value(root)


def _value(node: Node) -> Any:
    if isinstance(node, Scalar):
        return _scalar(node)
    if not isinstance(node, Mapping):
        return [_value(item) for item in node.items]
    return {
        key.text: _value(value)
        for key, value in node.pairs()
        if isinstance(key, Scalar)
    }


def _scalar(node: Scalar) -> Any:
    if node.kind is Kind.INTEGER:
        return yaml12.to_integer(node.text)
    if node.kind is Kind.NUMBER:
        return float(node.text)
    if node.kind is Kind.BOOLEAN:
        return node.text.lower() == "true"
    return None if node.kind is Kind.NULL else node.text
