"""The variables by which every boto3 client of this process, and of the runner, finds its AWS."""

import os
from typing import Final

from infra.local.settings import REGION

_VARIABLES: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def prepare_for_engine() -> None:
    """Forget the user's credentials, region and endpoints: the engine answers all calls."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    for name, value in _VARIABLES.items():
        os.environ[name] = value
