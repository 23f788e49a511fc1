"""Fixtures of the tests of events."""

import pytest

from tests.adapters.feed.event_world import EventWorld
from tests.adapters.pipeline import Pipeline


@pytest.fixture
def world(pipeline: Pipeline) -> EventWorld:
    return EventWorld(pipeline)
