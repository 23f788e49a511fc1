"""What the commands of one call share: where the service is, and how it is called."""

from __future__ import annotations

from dataclasses import dataclass

import click

from rustbox_cli.api import Api
from rustbox_cli.settings import read_settings


@dataclass(frozen=True, slots=True)
class Session:
    """Options of `rustbox` itself; checked when a command calls the service, so that --help always works."""

    url: str
    api_key: str | None
    admin_key: str | None
    allow_http: bool

    def api(self) -> Api:
        """A client, to be closed. Raises CommandError for settings that are not good."""
        return Api(read_settings(self.url, self.api_key, self.admin_key, allow_http=self.allow_http))


pass_session = click.make_pass_decorator(Session)
