"""What an administrator sends to /api/admin."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LOCAL_RUNNER = "local"
"""The name of the runner that the local stack starts."""
NAME_PATTERN = "^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"


def _refuse_taken(name: str) -> str:
    if name == LOCAL_RUNNER:
        raise ValueError("local is the name of this machine's own runner")
    return name


class CreateRunnerTokenRequest(BaseModel):
    """Body of POST /api/admin/runner-tokens."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    name: Annotated[
        str,
        Field(
            pattern=NAME_PATTERN,
            description="Name of the runner in lists, such as that of its host: small letters, digits, dots, hyphens.",
        ),
        AfterValidator(_refuse_taken),
    ]
