"""Measurements of clockd as a whole process. Not tests: machines are noisy."""

from __future__ import annotations
