"""The routes of /api/files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.errors import ConflictError, NotFoundError
from functions.files.model import MIB
from functions.files.requests import FileRequest, file_hash
from functions.files.views import file_body, file_id, stored_answer
from functions.http.answers import answer
from functions.http.cursor import start_after, write_cursor
from functions.http.http_event import json_body
from functions.http.parameters import page_limit
from functions.http.validation import parse_body
from functions.projects.authentication import authenticate

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.files.deployment import FileDeployment
    from functions.files.model import File
    from functions.http.resolver import Resolver

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CHANGED = "The file was used while it was deleted. Repeat the request."


@dataclass(frozen=True, slots=True)
class FileRoutes:
    """The routes."""

    deployment: FileDeployment

    def store(self, app: Resolver) -> Response[str]:
        """Say that a file is stored, or how to send it. Raises ServiceError."""
        project = authenticate(app.current_event, self.deployment.projects)
        request = parse_body(FileRequest, json_body(app.current_event))
        return answer(stored_answer(*self.deployment.file_upload.prepare(project, request)))

    def page(self, app: Resolver) -> Response[str]:
        """List the files of the project. Raises ServiceError."""
        event, store = app.current_event, self.deployment.files
        project = authenticate(event, self.deployment.projects)
        query, owner = event.query_string_parameters, f"{project.project_id} files"
        page = store.page(project.project_id, page_limit(query), start_after(query, owner, _HASH))
        after = page.next_created_key
        return answer(
            {
                "items": [file_body(file) for file in page.rows],
                "next_cursor": write_cursor(owner, after) if after else None,
                "used_bytes": store.usage(project.project_id)[0],
                "limit_bytes": project.files_mb * MIB,
            }
        )

    def one(self, app: Resolver, sha256: str) -> Response[str]:
        """Describe a file whose bytes are stored. Raises ServiceError."""
        file = self._find(app, sha256)
        return answer(file_body(file, self.deployment.file_links.download(file)))

    def delete(self, app: Resolver, sha256: str) -> Response[str]:
        """Delete a file, also one that was never sent. Raises ServiceError."""
        project = authenticate(app.current_event, self.deployment.projects)
        file = self.deployment.files.get(project.project_id, file_hash(sha256))
        if file is None:
            raise _unknown()
        holders = self.deployment.file_removal.holders(file, self.deployment.is_file_held)
        if holders:
            names = ", ".join(holders[:5])
            raise ConflictError(f"The file is used by {names}. Change or delete what uses it first.")
        if not self.deployment.file_removal.retire(file):
            raise ConflictError(_CHANGED)
        return answer({"id": file_id(file.sha256), "deleted": True})

    def _find(self, app: Resolver, sha256: str) -> File:
        project = authenticate(app.current_event, self.deployment.projects)
        file = self.deployment.file_lookup.find(project.project_id, file_hash(sha256))
        if file is None:
            raise _unknown()
        return file


def _unknown() -> NotFoundError:
    return NotFoundError("This project has no such file, or it has expired. POST /api/files stores it.")
