"""Status pages in the checks table: one row of a project, and one of the token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ABSENT, delete, put
from functions.aws.dynamodb.items import to_item
from functions.aws.dynamodb.row_codec import to_json
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.checks import keys
from functions.checks.status_pages.model import StatusPage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from functions.aws.dynamodb.items import Value


class StatusPageStore(Table):
    """Reads and writes status pages."""

    def get(self, project_id: str) -> StatusPage | None:
        """Return the page of a project."""
        row = self._get(keys.status_page_key(project_id))
        return None if row is None else _page(project_id, row)

    def of_token(self, token: str) -> StatusPage | None:
        """Return the page with a token."""
        row = self._get(keys.status_token_key(token))
        page = None if row is None else self.get(row["project_id"])
        return page if page is not None and page.token == token else None

    def put(self, before: StatusPage | None, page: StatusPage) -> bool:
        """Write a page in place of the one before, with the same token. False if another request was faster."""
        row: dict[str, Value | None] = {
            "token": page.token,
            "title": page.title,
            "check_ids": to_json(page.check_ids),
            "shows_output": page.shows_output,
        }
        item = {**keys.status_page_key(page.project_id), **to_item(row)}
        token = {**keys.status_token_key(page.token), **to_item({"project_id": page.project_id})}
        condition, values = (ABSENT, {}) if before is None else ("#token = :before", {"before": before.token})
        actions: dict[str, Any] = {
            "page": put(self.table_name, item, condition, values),
            "token": [] if before is not None else put(self.table_name, token),
        }
        return transact_or_raise(self._client, actions) is None

    def delete(self, page: StatusPage) -> None:
        """Delete a page: nobody sees it any more."""
        unchanged = delete(
            self.table_name, keys.status_page_key(page.project_id), "#token = :token", {"token": page.token}
        )
        actions = {"page": unchanged, "token": delete(self.table_name, keys.status_token_key(page.token))}
        transact_or_raise(self._client, actions)

    def purge(self, project_id: str) -> None:
        """Delete the page of a project, if it has one. It reads by a query, as a purge may."""
        for row in self._list(keys.checks_pk(project_id), keys.STATUS):
            self.delete(_page(project_id, row))


def _page(project_id: str, row: Mapping[str, Any]) -> StatusPage:
    return StatusPage(
        project_id=project_id,
        token=row["token"],
        title=row["title"],
        check_ids=tuple(json.loads(row["check_ids"])),
        shows_output=row["shows_output"],
    )
