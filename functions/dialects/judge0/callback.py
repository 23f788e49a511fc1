"""The body of a callback, made from the event of a finished submission."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.dialects.judge0.views import DEFAULT_FIELDS, submission_body

if TYPE_CHECKING:
    from collections.abc import Mapping


def callback_body(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default fields in base64, as Judge0 sends them."""
    texts = {name: event["output"][name].encode() for name in ("stdout", "stderr")}
    texts["compile_output"] = event.get("compile", {}).get("stderr", "").encode()
    return submission_body(event, texts, DEFAULT_FIELDS, is_base64=True)
