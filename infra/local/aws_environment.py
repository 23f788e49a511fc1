"""The variables by which every boto3 client of this process, and of the runner, finds its server."""

import os

from infra.local.settings import REGION


def point_to(endpoint_url: str, *, own_server: bool) -> None:
    """Direct all AWS calls to `endpoint_url`. For our own server also forget the user's real credentials."""
    if own_server:
        for name in list(os.environ):
            if name.startswith("AWS_"):
                del os.environ[name]
    os.environ["AWS_ENDPOINT_URL"] = endpoint_url
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    os.environ.setdefault("AWS_REGION", os.environ["AWS_DEFAULT_REGION"])
    # A proxy of the user's network cannot reach loopback.
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))
