"""What an endpoint's owner keeps secret: the keys that sign, and the values of the custom headers."""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.webhooks.endpoints.model import Endpoint
from functions.webhooks.sending.secret_box import SecretBoxes
from functions.webhooks.sending.signature import SigningKey, parse_secret

# No value holds it, and names and values together have at most 4,096 characters, which is what KMS seals.
_SEPARATOR = "\n"


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """Seals and opens them. Every method raises ClientError; those that open also raise UnsealError."""

    boxes: SecretBoxes

    def keys(self, endpoint: Endpoint, now_ms: int) -> tuple[SigningKey, ...]:
        """Keys that sign at this moment, the current one first. Raises InvalidSecretError."""
        boxes = endpoint.signing_boxes(now_ms)
        opened = [self.boxes.open(box, endpoint.project_id, endpoint.endpoint_id) for box in boxes]
        return tuple(map(parse_secret, opened))

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Custom headers with their values."""
        if endpoint.headers_box is None:
            return dict(endpoint.headers)
        values = self.boxes.open(endpoint.headers_box, endpoint.project_id, endpoint.endpoint_id, "headers")
        return dict(zip(endpoint.header_names, values.split(_SEPARATOR), strict=True))

    def seal_headers(self, headers: Mapping[str, str], project_id: str, endpoint_id: str) -> bytes | None:
        """Return the box of an endpoint row; None if there are no headers."""
        if not headers:
            return None
        return self.boxes.seal(_SEPARATOR.join(headers.values()), project_id, endpoint_id, "headers")
