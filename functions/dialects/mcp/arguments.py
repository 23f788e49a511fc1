"""The arguments of each tool."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from functions.http.fields import AllowList  # noqa: TC001 - pydantic reads it
from functions.http.validation import Text
from functions.submissions.accept.artifacts import ArtifactsRequest  # noqa: TC001 - pydantic reads it
from functions.submissions.results.output import Stream  # noqa: TC001 - pydantic reads it

WAIT_SECS = 25
"""How long a call waits at most: below the 30 s of the gateway."""
MOST_BYTES_READ = 16_384
_Id = Annotated[Text, Field(description="The id of a run, from run_code.")]


class Arguments(BaseModel):
    """Arguments of a tool. Unknown ones are refused, so that a model sees its mistake."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class FileArgument(Arguments):
    """A file for the program. Exactly one of the three has its content."""

    path: Text = Field(description="Below the working directory, such as data/in.csv.")
    content: Text | None = Field(default=None, repr=False, description="As text.")
    content_base64: Text | None = Field(default=None, repr=False, description="As bytes.")
    sha256: Text | None = Field(default=None, description="Hash of a file that the project stores.")


class RunCode(Arguments):
    """Arguments of run_code."""

    language: Text
    code: Text = Field(min_length=1, repr=False, description="The whole program, at most 65,536 bytes.")
    stdin: Text | None = Field(default=None, repr=False, description="Standard input, at most 262,144 bytes.")
    files: list[FileArgument] | None = Field(
        default=None, repr=False, description="At most 64; with content, 256 KiB together."
    )
    network: AllowList | None = Field(
        default=None, description='Hosts that the program may reach, such as ["api.example.com", "*.example.org:8443"].'
    )
    artifacts: ArtifactsRequest | None = Field(
        default=None,
        description='Files to return: patterns such as ["*.png", "out/**"]. Default: all that the program writes.',
    )
    wait_secs: int = Field(
        default=WAIT_SECS,
        ge=0,
        le=WAIT_SECS,
        description="How long to wait for the end. Then the run goes on, and read_output has its result.",
    )


class ReadOutput(Arguments):
    """Arguments of read_output."""

    id: _Id
    stream: Stream | None = Field(default=None, description="Without it: the whole result, once the run has ended.")
    offset: int = Field(default=0, ge=0, description="First byte.")
    length: int = Field(default=4_096, ge=1, le=MOST_BYTES_READ, description="Most bytes.")


class ReadArtifact(Arguments):
    """Arguments of read_artifact."""

    id: _Id
    path: Text = Field(description="The path of the artifact, as the run lists it.")


class CancelRun(Arguments):
    """Arguments of cancel_run."""

    id: _Id


class ListLanguages(Arguments):
    """list_languages has no arguments."""
