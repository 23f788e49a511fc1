"""No example of hypothesis has a time limit in these tests: on a busy machine any of them may be held up."""

from hypothesis import settings

settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")
