"""The latest version that used a state: an older one reads its rows only if it is one minor version apart at most."""

from __future__ import annotations

from typing import Any, Final

from infra.local.errors import StartError

_PARAMETER: Final = "/rustbox-local/state-version"


def require_readable(ssm: Any, version: str) -> None:
    """Note this version in the state, and in its backups. Raises StartError for a state of one that is too new."""
    try:
        written = str(ssm.get_parameter(Name=_PARAMETER)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:  # of a version that did not note it
        written = ""
    if written and _minor(written) > _next_minor(version):
        raise StartError(
            f"this state was used by version {written}, and {version} reads those of the next minor version at most: "
            "install a newer version, or restore a backup from before the upgrade"
        )
    if not written or _parts(written) < _parts(version):
        ssm.put_parameter(Name=_PARAMETER, Value=version, Type="String", Overwrite=True)


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _minor(version: str) -> tuple[int, ...]:
    return _parts(version)[:2]


def _next_minor(version: str) -> tuple[int, ...]:
    major, minor = _minor(version)
    return major, minor + 1
