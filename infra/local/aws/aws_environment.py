"""The variables by which every boto3 client of this process, and of the runner, finds its AWS."""

import os
from typing import Final

from infra.local.settings import REGION

_DEFAULTS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def prepare_for_engine() -> None:
    """Forget the user's credentials, region and endpoints: the engine answers all calls."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    _set_defaults()


def prepare_for_server(endpoint_url: str) -> None:
    """Direct all AWS calls to `endpoint_url`, with the user's credentials and region where there are any."""
    os.environ["AWS_ENDPOINT_URL"] = endpoint_url
    _set_defaults()
    # A proxy of the user's network cannot reach loopback.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))


def _set_defaults() -> None:
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("AWS_REGION", os.environ["AWS_DEFAULT_REGION"])
