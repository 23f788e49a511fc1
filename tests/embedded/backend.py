"""The engine, moto or an unpatched ministack, behind the same boto3 clients."""

import functools
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.loaders import Loader, create_loader

from functions.ids import new_id
from infra.embedded import services
from infra.embedded.engine import Engine
from infra.embedded.hook import Hook

REGION = "us-east-1"


@dataclass(frozen=True)
class Backend:
    """One AWS. `name`: engine, moto or ministack."""

    name: str
    session: boto3.Session
    endpoint_url: str | None = None

    def client(self, service: str) -> Any:
        config = Config(retries={"mode": "standard", "max_attempts": 1})
        return self.session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]

    def create_table(self) -> str:
        """Create a table as ours are: two key attributes, and one index with a number as its range."""
        name = f"table-{new_id()}"
        self.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
                {"AttributeName": "shard", "AttributeType": "S"},
                {"AttributeName": "due", "AttributeType": "N"},
            ],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "due",
                    "KeySchema": [
                        {"AttributeName": "shard", "KeyType": "HASH"},
                        {"AttributeName": "due", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]},
                }
            ],
        )
        return name

    def create_queue(self, **attributes: str) -> str:
        return str(self.client("sqs").create_queue(QueueName=f"queue-{new_id()}", Attributes=attributes)["QueueUrl"])


@functools.cache
def _models() -> Loader:
    return create_loader()


def make_session() -> boto3.Session:
    """Make a session with hooks of its own. All share the services' models: reading them takes most of a test."""
    core = botocore.session.Session()
    core.register_component("data_loader", _models())
    return boto3.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION, botocore_session=core
    )


def session_of(engine: Engine) -> boto3.Session:
    """Make a session whose calls the engine answers."""
    session = make_session()
    Hook(functools.partial(services.call, engine)).attach(session)
    return session


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without its request id; moto tells the capacity also where nobody asks."""
    return {key: value for key, value in answer.items() if key not in {"ResponseMetadata", "ConsumedCapacity"}}


def only(*names: str) -> pytest.MarkDecorator:
    """Run a test on these backends; the others are known to differ from AWS there."""
    return pytest.mark.parametrize("backend", names, indirect=True)
