"""clockd: the clock that Heroku teams trust."""

from __future__ import annotations

__version__ = "0.1.0"
