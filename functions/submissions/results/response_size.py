"""Results as JSON that fits into a response."""

from collections.abc import Mapping
from typing import Any

from functions.http.json_body import body_text, escaped_bytes

RESPONSE_MAX_BYTES = 5 * 1024 * 1024
"""A larger body is shortened, as the contract says."""
LAMBDA_MAX_BYTES = 6 * 1024 * 1024 - 128 * 1024
"""Lambda's limit is 6 MB, with our body as a JSON string in it: see `escaped_bytes`."""
_STREAMS = ("stdout", "stderr")
_EMPTY_BYTES = len('"\\"\\""')


def serialise_within(
    body: Mapping[str, Any], *, url: str, max_bytes: int = RESPONSE_MAX_BYTES, is_cut: bool = False
) -> str:
    """Return a final body as JSON that fits into a response. `is_cut`: it has only the beginning of an output.

    A larger body first loses the flat copies of the output, then its streams are cut. It then has
    `truncated_in_response` and the URLs of the whole streams, `<url>/stdout` and `<url>/stderr`.
    """
    text = body_text(body)
    if not is_cut and fits_response(text, max_bytes):
        return text
    output = body["output"] | {"truncated_in_response": True}
    output |= {f"{stream}_url": f"{url}/{stream}" for stream in _STREAMS}
    smaller = {name: value for name, value in body.items() if name not in _STREAMS}
    text = body_text(smaller | {"output": output})
    if fits_response(text, max_bytes):
        return text
    left_bytes = max_bytes - escaped_bytes(body_text(smaller | {"output": output | dict.fromkeys(_STREAMS, "")}))
    # The shorter stream first: the longer one gets the unused part of its half.
    for share, stream in zip((2, 1), sorted(_STREAMS, key=lambda name: len(output[name])), strict=True):
        output[stream] = _cut(output[stream], left_bytes // share)
        left_bytes -= escaped_bytes(body_text(output[stream]))
    return body_text(smaller | {"output": output})


def fits_response(text: str, max_bytes: int = RESPONSE_MAX_BYTES) -> bool:
    """Tell whether a body fits into an answer of ours and of Lambda."""
    size = len(text.encode())
    # Escaping at most triples a text (a letter of two bytes becomes \u00e9), so small texts need no exact check.
    return size <= max_bytes and (size <= LAMBDA_MAX_BYTES // 3 or escaped_bytes(text) <= LAMBDA_MAX_BYTES)


def _cut(text: str, max_bytes: int) -> str:
    """Return the longest start of the text that fits, in whole groups of base64."""
    while (size := escaped_bytes(body_text(text))) > max(max_bytes, _EMPTY_BYTES):
        # Shrink by the measured ratio and a little more, so that a few rounds suffice.
        kept = len(text) * max(max_bytes, 0) // size * 15 // 16
        text = text[: kept // 4 * 4]
    return text
