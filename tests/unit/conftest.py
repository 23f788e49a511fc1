"""No example of hypothesis has a time limit in these tests: on a busy machine any of them may be held up."""

from hypothesis import settings

from tests.unit.jail_doubles import clock

__all__ = ["clock"]

settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")
