"""Address and keys of the service, shared by all commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from rustbox_cli.api import Api, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rustbox_cli.api import KeyHeader


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

    def call(self, method: str, path: tuple[str, ...], body: Any = None, key: KeyHeader = "X-API-Key") -> Any:
        """Make one call with a client of its own; return the body of the answer. Raises CommandError."""
        with self.api() as api:
            return api.call(method, path, key=key, body=body).body

    def items(
        self, path: tuple[str, ...], most: int | None, query: Mapping[str, str | None], key: KeyHeader = "X-API-Key"
    ) -> list[Any]:
        """Return the items of a list, at most `most`; None: all. Parameters that are None are left out of the query."""
        given = {name: value for name, value in query.items() if value is not None}
        with self.api() as api:
            return list(api.items(path, most, given, key))


pass_session = click.make_pass_decorator(Session)
