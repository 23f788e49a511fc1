"""Check the administrator's key: one per installation, valid for /api/projects and /api/admin only."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.aws.secrets import SecretUnavailableError
from functions.errors import UnauthorizedError, UnavailableError
from functions.settings import LOCAL_STAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools import Logger

    from functions.http.resolver import Resolver

_SECRET_MIN_CHARS = 24
_PUBLIC_KEY_PART = "local_development_only"


@dataclass(frozen=True, slots=True)
class AdminGate:
    """`parameter`: name of the SSM parameter with the key. If it is empty, every request is refused."""

    parameter: str
    stage: str
    read_secret: Callable[[str], str]
    log: Logger

    def require(self, app: Resolver) -> None:
        """Check the X-Admin-Key header of the current request.

        Raises UnauthorizedError with the same text for every reason, UnavailableError if SSM cannot be read.
        """
        given = app.current_event.headers.get("x-admin-key") or ""
        if not given or not self.parameter:
            raise self._refusal()
        try:
            secret = self.read_secret(self.parameter)
        except SecretUnavailableError:
            self.log.warning("Admin key cannot be read", parameter=self.parameter, request_id=app.request_id)
            raise UnavailableError("The administrator's key cannot be checked at the moment. Try again.") from None
        if not self._is_usable(secret):
            self.log.error(
                "Every admin request is refused: replace the administrator's key, which is too short or public",
                request_id=app.request_id,
            )
            raise self._refusal()
        if not hmac.compare_digest(_digest(given), _digest(secret)):
            self.log.warning("Admin key refused", request_id=app.request_id)
            raise self._refusal()

    def _is_usable(self, secret: str) -> bool:
        return len(secret) >= _SECRET_MIN_CHARS and (self.stage == LOCAL_STAGE or _PUBLIC_KEY_PART not in secret)

    @staticmethod
    def _refusal() -> UnauthorizedError:
        return UnauthorizedError("The administrator's key is needed in the X-Admin-Key header.")


def _digest(text: str) -> bytes:
    """Hash both texts to one length, so that the time of the comparison does not reveal the secret's length."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
