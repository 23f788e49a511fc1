"""The addresses that webhooks come from, for a receiver's firewall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.http.answers import answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_lambda_powertools.event_handler import Response


def egress_answer(networks: Sequence[str]) -> Response[str]:
    """Answer with the networks that the operator has configured, such as 192.0.2.7/32. None: any address."""
    return answer({"networks": list(networks), "static": bool(networks)})
