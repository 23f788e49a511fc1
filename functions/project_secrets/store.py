"""Rows of secrets. A value is sealed at once, and nothing of the functions can open it again: the runner's opener can.

The box is bound to project, name, host and rules (`NetworkSecret.context`): in a changed row, it cannot be opened.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from events.network import MAX_BOX_BYTES, NetworkSecret
from functions.aws.clients import Clients
from functions.aws.dynamodb.conditional import EXISTS, ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import Key, key, to_item
from functions.aws.dynamodb.row_codec import IN_KEY, OMIT_DEFAULT, read, write
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import Clock, now_ms, to_rfc3339
from functions.env import Env
from functions.errors import FieldProblem
from functions.telemetry import logger
from functions.ttl_cache import TtlCache

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_SECRETS: Final = 50
"""Of a project: one query reads them all, some 300 KB. Requests at the same time may pass it by a few."""
_USE_NOTED_MS: Final = 60_000
_MOST_NOTED: Final = 1_000
_PREFIX: Final = "SECRET#"


@dataclass(frozen=True, slots=True)
class ProjectSecret:
    """A secret without its value. Times are RFC 3339. The fields that a message has too: see `NetworkSecret`."""

    name: Annotated[str, IN_KEY]
    host: str
    port: int
    placement: str
    created_at: str
    updated_at: str
    box: bytes = field(default=b"", repr=False)
    parameter: Annotated[str, OMIT_DEFAULT] = ""
    methods: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    paths: Annotated[tuple[str, ...], OMIT_DEFAULT] = ()
    last_used_at: str | None = None

    @property
    def sealed(self) -> NetworkSecret:
        """The secret as a message has it. Raises MessageInvalidError."""
        names = ("name", "host", "port", "placement", "box", "parameter", "methods", "paths")
        fields: dict[str, Any] = {name: getattr(self, name) or None for name in names}
        return NetworkSecret(**fields)

    def context(self, project_id: str) -> dict[str, str]:
        """Return the encryption context of the box."""
        return replace(self, box=b"-").sealed.context(project_id)


def seal(env: Env, project_id: str, secret: ProjectSecret, value: str) -> ProjectSecret:
    """Return the secret with its value, sealed by KMS. Raises ClientError."""
    key_id, context = env.settings.endpoint_secrets_key_id, secret.context(project_id)
    sealed = Clients.kms().encrypt(KeyId=key_id, Plaintext=value.encode(), EncryptionContext=context)
    box = bytes(sealed["CiphertextBlob"])
    if len(box) > MAX_BOX_BYTES:
        raise ValueError("the sealed value is too large")
    return replace(secret, box=box)


class SecretStore(Table):
    """The secrets of projects, beside their endpoints in the deliveries table. Reads are consistent."""

    table_setting = "deliveries_table"

    def __init__(
        self,
        table_name: str,
        client: "DynamoDBClient",
        clock: Clock = now_ms,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(table_name, client, clock, sleep)
        self._noted = TtlCache[tuple[str, str], bool](_USE_NOTED_MS, _MOST_NOTED, clock)

    def put(self, project_id: str, secret: ProjectSecret, also: Sequence[Any]) -> bool:
        """Write a secret, in the place of one with its name. `also`: actions of the same transaction."""
        item = {**to_item(write(secret)), **_key(project_id, secret.name)}
        return transact_or_raise(self._client, {"secret": put(self.table_name, item), "also": also}) is None

    def get(self, project_id: str, name: str) -> ProjectSecret | None:
        row = self._get(_key(project_id, name))
        return None if row is None else secret_of(row)

    def list_all(self, project_id: str) -> list[ProjectSecret]:
        """Return all secrets of a project, by name."""
        return [secret_of(row) for row in self._list(_pk(project_id), _PREFIX)]

    def delete(self, project_id: str, name: str, also: Sequence[Any]) -> bool:
        """Delete a secret. False: there is none. A run that was accepted before keeps it."""
        deleted = delete(self.table_name, _key(project_id, name), EXISTS)
        return transact_or_raise(self._client, {"secret": deleted, "also": also}) is None

    def chosen(self, project_id: str, names: Collection[str]) -> tuple[tuple[NetworkSecret, ...], list[FieldProblem]]:
        """Return the secrets of these names in their order, and a problem for each that does not exist."""
        if not names:
            return (), []
        known = {secret.name: secret for secret in self.list_all(project_id)}
        problems = [
            FieldProblem(
                f"network.secrets[{place}]",
                f"The project has no secret {name}. PUT /api/secrets/{name} makes it, or `rustbox secrets set`.",
            )
            for place, name in enumerate(names)
            if name not in known
        ]
        chosen = [known[name] for name in names if name in known]
        if not problems:
            self._note_use(project_id, chosen)
        return tuple(secret.sealed for secret in chosen), problems

    def _note_use(self, project_id: str, used: Collection[ProjectSecret]) -> None:
        """Write the time of a use, to the minute. A failure never fails the run."""
        now = self._clock()
        for secret in used:
            is_recent = secret.last_used_at is not None and secret.last_used_at > to_rfc3339(now - _USE_NOTED_MS)
            if is_recent or self._noted.get((project_id, secret.name)):
                continue
            self._noted.keep((project_id, secret.name), True)
            try:
                # IAM allows exactly this attribute.
                self._update_unread(
                    ConditionalUpdate({"last_used_at": to_rfc3339(now)}, EXISTS, {}), _key(project_id, secret.name)
                )
            except (BotoCoreError, ClientError) as error:
                logger("secrets").warning("Last use of a secret not recorded", error_type=type(error).__name__)


def _pk(project_id: str) -> str:
    return f"PROJECT#{project_id}"


def _key(project_id: str, name: str) -> Key:
    return key(_pk(project_id), _PREFIX + name)


def secret_of(row: dict[str, Any]) -> ProjectSecret:
    """Return the secret of a row."""
    return read(ProjectSecret, {**row, "name": str(row["sk"]).removeprefix(_PREFIX)})
