"""Secrets of a stage, as SecureStrings in SSM."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infra.deploy.target import Target

_BYTES = 32


def ensure_secret(target: Target, name: str) -> bool:
    """Create the parameter with a random value unless it exists. Return whether it was created."""
    ssm: Any = target.client("ssm")
    try:
        ssm.put_parameter(Name=name, Type="SecureString", Value=secrets.token_urlsafe(_BYTES), Overwrite=False)
    except ssm.exceptions.ParameterAlreadyExists:
        return False
    return True


def find_secret(target: Target, name: str) -> str | None:
    """Return the value of a parameter, None if there is none."""
    ssm: Any = target.client("ssm")
    try:
        value: str = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return value


def write_secret(target: Target, name: str, value: str) -> None:
    """Create or replace a parameter."""
    target.client("ssm").put_parameter(Name=name, Type="SecureString", Value=value, Overwrite=True)


def delete_secrets(target: Target) -> list[str]:
    """Delete every secret of the stage; return the names."""
    ssm: Any = target.client("ssm")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/rustbox/{target.stage}/")
    names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
    for name in names:
        ssm.delete_parameter(Name=name)
    return names
