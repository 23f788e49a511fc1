"""The usage of a project's quota, exact: the sum of all its items in the table."""

from dataclasses import replace

from functions.projects.model import Usage, Window
from functions.projects.quota_store import to_usage
from tests.adapters.aws_account import Aws


def whole_usage(aws: Aws, project_id: str, profile: str = "judge") -> Usage:
    """Read the shards too. Only the latest windows of all items count."""
    pk, sk = f"PROJECT#{project_id}", f"QUOTA#{profile}"
    items = [item for item in aws.items("QuotasTable") if item["sk"]["S"] == sk]
    parts = [to_usage(item) for item in items if item["pk"]["S"] == pk or item["pk"]["S"].startswith(f"{pk}#")]
    return Usage(
        _sum([part.minute for part in parts]), _sum([part.day for part in parts]), sum(part.in_flight for part in parts)
    )


def _sum(windows: list[Window]) -> Window:
    latest = max(windows, key=lambda window: window.number, default=Usage().minute)
    return replace(latest, count=sum(window.count for window in windows if window.number == latest.number))
