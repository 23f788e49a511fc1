"""Sealed attributes of rows: an export opens them, and an import seals them anew, because each place has its own key.

An attribute has a path: its name, or the name of a map, a slash and a name in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

ENDPOINT_BOXES: Final[dict[str, dict[str, str]]] = {
    "secret_box": {},
    "previous_secret_box": {},
    "headers_box": {"purpose": "headers"},
    "routing_key_box": {"purpose": "routing_key"},
}
"""Sealed attributes of an endpoint, and their encryption context beside the owner."""
CHECK_BOXES: Final[dict[str, dict[str, str]]] = {
    "env_boxes": {"purpose": "environment"},
    "report_box": {"purpose": "report"},
}
"""The same of a check. They are in the row of its source."""

type Item = dict[str, Any]


def opened(kms: KMSClient, item: Item) -> Item:
    """Return a row without its sealed attributes, and their values in clear by path."""
    contexts = _contexts(item)
    row: Item = {
        name: {"M": dict(value["M"])} if "M" in value else value for name, value in item.items() if name not in contexts
    }
    secrets = {}
    for path, context in contexts.items():
        first, _, name = path.partition("/")
        box = item[first]["M"][name]["B"] if name else item[first]["B"]
        if name:
            del row[first]["M"][name]
        # An empty value has an empty box: KMS seals no empty text.
        answer = kms.decrypt(CiphertextBlob=box, EncryptionContext=context) if box else {"Plaintext": b""}
        secrets[path] = answer["Plaintext"].decode()
    return {"row": row, "secrets": secrets}


def sealed(kms: KMSClient, key_id: str, exported: Item) -> Item:
    """Return the row of an export with its attributes sealed by another key."""
    item: Item = exported["row"]
    for path, secret in exported["secrets"].items():
        context = _owner(item) | _more(item, path)
        box = b""
        if secret:
            box = kms.encrypt(KeyId=key_id, Plaintext=secret.encode(), EncryptionContext=context)["CiphertextBlob"]
        first, _, name = path.partition("/")
        if name:
            item[first]["M"][name] = {"B": box}
        else:
            item[first] = {"B": box}
    return item


def _contexts(item: Item) -> dict[str, dict[str, str]]:
    """Return the encryption context of each sealed attribute, by its path."""
    paths = []
    for name in _boxes(item).keys() & item.keys():
        paths += [f"{name}/{part}" for part in item[name]["M"]] if "M" in item[name] else [name]
    return {path: _owner(item) | _more(item, path) for path in paths}


def _boxes(item: Item) -> dict[str, dict[str, str]]:
    match item["sk"]["S"].partition("#")[0]:
        case "ENDPOINT":
            return ENDPOINT_BOXES
        case "SOURCE":
            return CHECK_BOXES
        case "HOOK":
            return {"box": {"purpose": "inbound"}}
    return {}


def _more(item: Item, path: str) -> dict[str, str]:
    return _boxes(item)[path.partition("/")[0]]


def _owner(item: Item) -> dict[str, str]:
    """Return the owner of the sealed attributes of a row in the encryption context."""
    if item["sk"]["S"] == "HOOK":
        project_id, check_id = (part["S"] for part in item["owner"]["L"])
        return {"project_id": project_id, "endpoint_id": f"check:{check_id}"}
    project_id, (kind, _, owner_id) = item["pk"]["S"].removeprefix("PROJECT#"), item["sk"]["S"].partition("#")
    return {"project_id": project_id, "endpoint_id": owner_id if kind == "ENDPOINT" else f"check:{owner_id}"}
