"""The decoding engine: one loop, four policies, one counter."""

from __future__ import annotations

from methods.decoding.loop import decode
from methods.decoding.request import KINDS, Decoder, Request, Result

__all__ = ["KINDS", "Decoder", "Request", "Result", "decode"]
