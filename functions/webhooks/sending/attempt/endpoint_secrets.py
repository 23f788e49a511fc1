"""Sealed secrets of endpoints: signing keys, the values of custom headers, and the key of PagerDuty."""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.target.secret_box import SecretBoxes
from functions.webhooks.target.signature import (
    PrivateKey,
    SigningKey,
    new_private_key,
    parse_private_key,
    parse_secret,
)

# Header values cannot contain it. Names and values have at most 4,096 characters, the limit of KMS.
_SEPARATOR = "\n"
# Between an endpoint's secret and its private key in one box, so that a rotation replaces both.
_BETWEEN_KEYS = " "


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """Seals and opens secrets of endpoints. Methods raise ClientError; methods that open raise UnsealError too."""

    boxes: SecretBoxes

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
        """Return the custom headers with their values."""
        if endpoint.headers_box is None:
            return {}
        values = self.boxes.open(endpoint.headers_box, endpoint.project_id, endpoint.endpoint_id, "headers")
        return dict(zip(endpoint.header_names, values.split(_SEPARATOR), strict=True))

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
