"""Address and keys of the service, shared by all commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from rustbox_cli.api import Api
from rustbox_cli.settings import read_settings


@dataclass(frozen=True, slots=True)
class Session:
    """Global options of `rustbox`. They are checked on the first call, so that --help always works."""

    url: str
    api_key: str | None
    admin_key: str | None
    allow_http: bool

    def is_local(self) -> bool:
        """Whether the service runs on this machine. Raises CommandError for invalid settings."""
        return read_settings(self.url, self.api_key, self.admin_key, allow_http=self.allow_http).is_local

    def api(self) -> Api:
        """Return a client; the caller closes it. Raises CommandError for invalid settings."""
        return Api(read_settings(self.url, self.api_key, self.admin_key, allow_http=self.allow_http))

    def call(self, method: str, path: tuple[str, ...], body: Any = None) -> Any:
        """Make one call with a client of its own; return the body of the answer. Raises CommandError."""
        with self.api() as api:
            return api.call(method, path, body=body).body


pass_session = click.make_pass_decorator(Session)
