"""The setting `report`: where the end of a run is told, beside webhooks. Today: the status of a commit on GitHub.

https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
"""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from functions.http.fields import checked_line
from functions.http.validation import Text
from functions.webhooks.deliveries.report import TOKEN

GITHUB_API: Final = "https://api.github.com"
_API_URL = r"^https?://[!-~]+$"


class GithubStatus(BaseModel):
    """The status of the commit whose signed GitHub event started the run."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    token: Annotated[str, Field(pattern=TOKEN)] = Field(
        repr=False,
        description="May write commit statuses of the repository. Sealed, and never shown again: it reads ***. "
        "Send *** in a change to keep it.",
    )
    context: Annotated[Text, Field(min_length=1, max_length=100), AfterValidator(checked_line)] | None = Field(
        default=None, description="Label of the status. Default: rustbox/ and the slug.", examples=["rustbox/tests"]
    )
    api_url: Annotated[str, Field(pattern=_API_URL, max_length=200)] = Field(
        default=GITHUB_API,
        description="Of GitHub Enterprise Server: https://HOST/api/v3. The rules are those of webhook URLs.",
    )


class Report(BaseModel):
    """Where the end of a run is told."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    github_status: GithubStatus

    def with_token(self, token: str) -> Self:
        """Return it with another token."""
        return self.model_copy(update={"github_status": self.github_status.model_copy(update={"token": token})})
