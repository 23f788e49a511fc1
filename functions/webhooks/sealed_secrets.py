"""Sealed secrets: encrypted with a KMS key for one endpoint of one project, or for a run's own URL.

The owner is the encryption context, so a box copied to another row cannot be opened there.
https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from functions.aws.clients import Clients
from functions.clock import Clock, now_ms
from functions.ttl_cache import TtlCache
from functions.webhooks.signature import (
    PrivateKey,
    SigningKey,
    new_private_key,
    parse_private_key,
    parse_secret,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_kms import KMSClient

    from functions.env import Env
    from functions.webhooks.endpoints.model import Endpoint

_FRESH_MS = 300_000
_MAX_CACHED = 1_000
_NEVER_OPENS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


type Purpose = Literal["sign", "headers", "routing_key", "environment", "inbound", "report"]


class UnsealError(Exception):
    """KMS did not seal this box for this owner. A retry fails too."""


class SecretBoxes:
    """Seals and opens secrets. Results are cached for five minutes, because KMS calls cost time and money.

    So an opened secret stays in this process's memory for five minutes, and until the cache is next used. Runs of a
    project with the same secret share one box. `client` is called on first use: few submissions need KMS.
    """

    def __init__(self, key_id: str, client: Callable[[], KMSClient], clock: Clock = now_ms) -> None:
        self._key_id = key_id
        self._client = client
        self._opened = TtlCache[tuple[str, bytes], str](_FRESH_MS, _MAX_CACHED, clock)
        self._sealed = TtlCache[tuple[str, str], bytes](_FRESH_MS, _MAX_CACHED, clock)

    @classmethod
    def from_env(cls, env: Env) -> SecretBoxes:
        return cls(env.settings.endpoint_secrets_key_id, Clients.kms, env.clock)

    def seal(self, secret: str, project_id: str, endpoint_id: str, purpose: Purpose = "sign") -> bytes:
        """Seal a secret of at most 4,096 bytes. Raises ClientError."""
        context = _context(project_id, endpoint_id, purpose)
        if (box := self._sealed.get((str(context), secret))) is not None:
            return box
        sealed = self._client().encrypt(KeyId=self._key_id, Plaintext=secret.encode(), EncryptionContext=context)
        return self._sealed.keep((str(context), secret), bytes(sealed["CiphertextBlob"]))

    def open(self, box: bytes, project_id: str, endpoint_id: str, purpose: Purpose = "sign") -> str:
        """Open a box of the same owner. Raises UnsealError, also for another owner's box, and ClientError."""
        context = _context(project_id, endpoint_id, purpose)
        if (secret := self._opened.get((str(context), box))) is not None:
            return secret
        try:
            opened = self._client().decrypt(KeyId=self._key_id, CiphertextBlob=box, EncryptionContext=context)
        except ClientError as error:
            if error.response["Error"]["Code"] in _NEVER_OPENS:
                raise UnsealError from None
            raise
        return self._opened.keep((str(context), box), bytes(opened["Plaintext"]).decode())


def _context(project_id: str, endpoint_id: str, purpose: Purpose) -> dict[str, str]:
    """Return the encryption context. Signing secrets name no purpose: they were the first boxes."""
    owner = {"project_id": project_id, "endpoint_id": endpoint_id}
    return owner if purpose == "sign" else {**owner, "purpose": purpose}


# Sealed secrets of endpoints: signing keys, the values of custom headers, and the key of PagerDuty.

# Header values cannot contain it. Names and values have at most 4,096 characters, the limit of KMS.
_SEPARATOR = "\n"
# Between an endpoint's secret and its private key in one box, so that a rotation replaces both.
_BETWEEN_KEYS = " "


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """Seals and opens secrets of endpoints. Methods raise ClientError; methods that open raise UnsealError too."""

    boxes: SecretBoxes

    @classmethod
    def from_env(cls, env: Env) -> EndpointSecrets:
        return cls(env[SecretBoxes])

    def keys(self, endpoint: Endpoint, now_ms: int) -> tuple[SigningKey | PrivateKey, ...]:
        """Return the keys that sign now, the current ones first. Raises InvalidSecretError."""
        keys: list[SigningKey | PrivateKey] = []
        for box in endpoint.signing_boxes(now_ms):
            secret, private_key = self._open(box, endpoint)
            keys.append(parse_secret(secret))
            if private_key:
                keys.append(parse_private_key(private_key))
        return tuple(keys)

    def current(self, endpoint: Endpoint) -> str:
        """Return the endpoint's secret, which begins with whsec_."""
        return self._open(endpoint.secret_box, endpoint)[0]

    def new_keys(self, secret: str, project_id: str, endpoint_id: str, *, asymmetric: bool) -> tuple[bytes, str | None]:
        """Seal a secret for an endpoint row, with a new private key if `asymmetric`; return also its public key."""
        if not asymmetric:
            return self.boxes.seal(secret, project_id, endpoint_id), None
        private_key = new_private_key()
        box = self.boxes.seal(secret + _BETWEEN_KEYS + private_key, project_id, endpoint_id)
        return box, parse_private_key(private_key).public_key()

    def _open(self, box: bytes, endpoint: Endpoint) -> tuple[str, str]:
        opened = self.boxes.open(box, endpoint.project_id, endpoint.endpoint_id)
        secret, _, private_key = opened.partition(_BETWEEN_KEYS)
        return secret, private_key

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        if endpoint.headers_box is None:
            return {}
        values = self.boxes.open(endpoint.headers_box, endpoint.project_id, endpoint.endpoint_id, "headers")
        return dict(zip(endpoint.headers, values.split(_SEPARATOR), strict=True))

    def routing_key(self, endpoint: Endpoint) -> str:
        """Return the key of format pagerduty; "" if there is none."""
        if endpoint.routing_key_box is None:
            return ""
        return self.boxes.open(endpoint.routing_key_box, endpoint.project_id, endpoint.endpoint_id, "routing_key")

    def seal_routing_key(self, routing_key: str, project_id: str, endpoint_id: str) -> bytes | None:
        """Return the sealed key for an endpoint row; None for an empty one."""
        return self.boxes.seal(routing_key, project_id, endpoint_id, "routing_key") if routing_key else None

    def seal_headers(self, headers: Mapping[str, str], project_id: str, endpoint_id: str) -> bytes | None:
        """Return the sealed values for an endpoint row; None if there are no headers."""
        if not headers:
            return None
        return self.boxes.seal(_SEPARATOR.join(headers.values()), project_id, endpoint_id, "headers")
