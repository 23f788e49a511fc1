"""The error of the transport."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError


class TransportError(Exception):
    """A call of SQS or S3 failed. `code` is AWS's error code or the name of the client's or the system's error."""

    def __init__(self, operation: str, code: str) -> None:
        self.operation = operation
        self.code = code
        super().__init__(f"{operation}: {code}")


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Turn the SDK's errors into TransportError, without their texts, which may quote the request."""
    try:
        yield
    except ClientError as error:
        raise TransportError(operation, error.response.get("Error", {}).get("Code", "Unknown")) from error
    # botocore passes on an OSError of credentials, such as a token file that is replaced just now.
    # It raises RuntimeError for new credentials that have expired already.
    except (BotoCoreError, OSError, RuntimeError) as error:
        raise TransportError(operation, type(error).__name__) from error
