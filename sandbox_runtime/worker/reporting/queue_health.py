"""Whether SQS takes this runner's messages. A runner that cannot report a result takes no new work, and says why."""

import logging
from threading import Event, Lock
from time import monotonic

# Shorter failures are hidden by the retries of the sender.
PATIENCE_SECS = 15.0

# AWS refuses a signature when the clock is off by more than five minutes, or when the secret key is wrong.
_CLOCK = frozenset({
    "InvalidSignatureException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
})  # fmt: skip
_CREDENTIALS = frozenset({
    "AccessDenied",
    "AccessDeniedException",
    "CredentialRetrievalError",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "MetadataRetrievalError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "RuntimeError",  # of botocore: new credentials that have expired already
    "UnrecognizedClientException",
})  # fmt: skip
_QUEUE = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})

_LOG = logging.getLogger(__name__)


class QueueHealth:
    """Follows the calls that send messages. Safe for threads.

    It works from the first accepted message on, and no longer when every call has failed for PATIENCE_SECS.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._works = Event()
        self._failing_since: float | None = None
        self._code = ""

    @property
    def works(self) -> bool:
        """Whether new work may be taken."""
        return self._works.is_set()

    def wait(self, timeout_secs: float) -> bool:
        """Wait until it works. False after the timeout."""
        return self._works.wait(timeout_secs)

    @property
    def problem(self) -> str:
        """Return why it does not work and what to check; empty when it works."""
        with self._lock:
            if self._works.is_set():
                return ""
            return advice(self._code) if self._code else "no heartbeat was accepted yet"

    def sent(self) -> None:
        """Note that SQS accepted a message."""
        with self._lock:
            was_failing = self._failing_since is not None and not self._works.is_set()
            self._failing_since, self._code = None, ""
            self._works.set()
        if was_failing:
            _LOG.info("runner takes work again")

    def failed(self, code: str) -> None:
        """Note a call that failed with this error code."""
        with self._lock:
            now, self._code = monotonic(), code
            if self._failing_since is None:
                self._failing_since = now
            lasts = now - self._failing_since >= PATIENCE_SECS
            if lasts:
                self._works.clear()
        if lasts:
            _LOG.error("runner takes no work", extra={"code": code, "problem": advice(code)})
        else:
            _LOG.warning("messages not sent", extra={"code": code})


def advice(code: str) -> str:
    """Return what to check after an error code."""
    if code in _CLOCK:
        return f"SQS refuses the signature ({code}): check the host's clock, then the secret key"
    if code in _CREDENTIALS:
        return f"SQS refuses the credentials ({code}): check the role or the keys of this host"
    if code in _QUEUE:
        return f"the completions queue does not exist ({code}): check COMPLETIONS_QUEUE_URL and the region"
    return f"SQS cannot be reached ({code}): check the network of this host"
