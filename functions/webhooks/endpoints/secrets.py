"""Sealed secrets of endpoints: signing keys and the values of custom headers."""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.sending.secret_box import SecretBoxes
from functions.webhooks.sending.signature import SigningKey, parse_secret

# Header values cannot contain it. Names and values have at most 4,096 characters, the limit of KMS.
_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """Seals and opens secrets of endpoints. Methods raise ClientError; methods that open raise UnsealError too."""

    boxes: SecretBoxes

    def keys(self, endpoint: Endpoint, now_ms: int) -> tuple[SigningKey, ...]:
        """Return the keys that sign now, the current one first. Raises InvalidSecretError."""
        boxes = endpoint.signing_boxes(now_ms)
        opened = [self.boxes.open(box, endpoint.project_id, endpoint.endpoint_id) for box in boxes]
        return tuple(map(parse_secret, opened))

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Return the custom headers with their values."""
        if endpoint.headers_box is None:
            return {}
        values = self.boxes.open(endpoint.headers_box, endpoint.project_id, endpoint.endpoint_id, "headers")
        return dict(zip(endpoint.header_names, values.split(_SEPARATOR), strict=True))

    def seal_headers(self, headers: Mapping[str, str], project_id: str, endpoint_id: str) -> bytes | None:
        """Return the sealed values for an endpoint row; None if there are no headers."""
        if not headers:
            return None
        return self.boxes.seal(_SEPARATOR.join(headers.values()), project_id, endpoint_id, "headers")
