"""The request of a sample event."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.webhooks.vocabulary import EVENT_TEST, FILTERABLE_EVENTS


class SampleRequest(BaseModel):
    """Body of POST /api/event-samples."""

    model_config = ConfigDict(frozen=True)

    type: Literal[(*FILTERABLE_EVENTS, EVENT_TEST)] = Field(description="Type of the sample.")  # type: ignore[valid-type]
