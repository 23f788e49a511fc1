"""The bytes of files on one machine. The function checks the link; the local gateway takes or sends the bytes.

On AWS, links lead to the bucket, and these routes answer 404.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_lambda_powertools.event_handler import Response

from functions.errors import BadRequestError, ForbiddenError, NotFoundError
from functions.files.model import FileState
from functions.files.objects import checksum, sign
from functions.files.requests import file_hash
from functions.files.views import stored_answer
from functions.http.answers import answer
from functions.http.stored_content import download_headers, upload_headers

if TYPE_CHECKING:
    from functions.files.deployment import FileDeployment
    from functions.files.model import File
    from functions.http.resolver import Resolver

_WRONG_LINK = "This link is wrong or has expired. Ask for a new one at /api/files."


@dataclass(frozen=True, slots=True)
class FileContentRoutes:
    """The routes."""

    deployment: FileDeployment

    def put(self, app: Resolver, sha256: str) -> Response[str]:
        """Let the gateway store the body, if it has the hash and the size of the file. Raises ServiceError."""
        file = self._linked(app, sha256, "PUT")
        if (length := app.current_event.headers.get("content-length")) != str(file.size):
            raise BadRequestError(f"The file has {file.size:,} bytes; content-length is {length or 'missing'}.")
        stored = answer(stored_answer(file, None))
        if file.state is not FileState.STORED:
            stored.headers |= upload_headers(
                file.object_key, file.size, checksum(file), file.media_type, file.project_id
            )
        return stored

    def get(self, app: Resolver, sha256: str) -> Response[str]:
        """Let the gateway send the bytes of the file. Raises ServiceError."""
        file = self._linked(app, sha256, "GET")
        return Response(200, file.media_type, "", headers=download_headers(file.object_key))

    def _linked(self, app: Resolver, sha256: str, method: str) -> File:
        if not self.deployment.settings.serves_files:
            raise NotFoundError("Files of this deployment are in its bucket. POST /api/files says how to send one.")
        query = app.current_event.query_string_parameters
        expires, signature = query.get("expires", ""), query.get("signature", "")
        file = self.deployment.files.get(query.get("project", ""), file_hash(sha256))
        is_signed = file is not None and hmac.compare_digest(sign(file, method, expires).encode(), signature.encode())
        if file is None or not is_signed or int(expires) <= self.deployment.clock():
            raise ForbiddenError(_WRONG_LINK)
        return file
