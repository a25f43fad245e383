"""One setting for every test: Hypothesis sets no time limit, since a busy machine is no error of the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
