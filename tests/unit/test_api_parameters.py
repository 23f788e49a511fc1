from collections.abc import Callable, Mapping
from typing import Any

import pytest

from functions.errors import BadRequestError
from functions.http import parameters
from functions.http.parameters import read_cursor, write_cursor
from functions.submissions import results_api
from functions.submissions.results import results
from functions.submissions.results.list_store import ListFilter
from functions.submissions.results.views import Shape

ID = "7d8f0f5e-3b1c-4c59-9a52-0f7f3b2f8a11"
CREATED_KEY = f"2026-11-24T12:00:00.000Z#{ID}"


def wait(query: Mapping[str, str]) -> float:
    return parameters.wait_secs(query, 20)


@pytest.mark.parametrize(
    ("read", "query"),
    [
        (wait, {"wait": "True"}),
        (wait, {"wait": ""}),
        (wait, {"wait": "true,true"}),
        (wait, {"wait": "-1"}),
        (wait, {"wait": "20.001"}),
        (wait, {"wait": "nan"}),
        (wait, {"wait": "\N{ARABIC-INDIC DIGIT ONE}"}),
        (results.result_shape, {"encoding": "hex"}),
        (results.result_shape, {"encoding": ""}),
        (results.result_shape, {"view": "full"}),
        (results.result_shape, {"view": ""}),
        (parameters.page_limit, {"limit": "0"}),
        (parameters.page_limit, {"limit": "101"}),
        (parameters.page_limit, {"limit": "²"}),
        (parameters.page_limit, {"limit": "1e1"}),
        (results_api.list_filter, {"status": "done"}),
        (results_api.list_filter, {"verdict": "ac"}),
        (results_api.list_filter, {"language": "cobol"}),
        (results_api.list_filter, {"kind": "transform"}),
        (results_api.list_filter, {"since": "yesterday"}),
        (results_api.list_filter, {"until": "2026"}),
        (results_api.list_filter, {"metadata": "build"}),
        (results_api.list_filter, {"metadata": "=7"}),
        (results_api.list_filter, {"q": "x" * 101}),
        (parameters.idempotency_key, {"idempotency-key": ""}),
        (parameters.idempotency_key, {"idempotency-key": "x" * 256}),
    ],
)
def test_a_wrong_parameter_is_a_bad_request(read: Callable[[Mapping[str, str]], Any], query: Mapping[str, str]) -> None:
    with pytest.raises(BadRequestError):
        read(query)


def test_omitted_parameters_have_defaults() -> None:
    assert wait({}) == 0
    assert results.result_shape({}) == Shape()
    assert parameters.page_limit({}) == 50
    assert results_api.list_filter({}) == ListFilter()
    assert parameters.idempotency_key({}) is None


def test_right_parameters_are_taken() -> None:
    assert [wait({"wait": text}) for text in ("true", "false", "0", "20", "0.25")] == [20, 0, 0, 20, 0.25]
    assert results.result_shape({"encoding": "base64", "view": "compact"}) == Shape("base64", True)
    assert parameters.page_limit({"limit": "100"}) == 100
    filters = {"status": "error", "verdict": "IE", "language": "JS"}
    assert results_api.list_filter(filters).equal == {**filters, "language": "javascript"}
    assert parameters.idempotency_key({"idempotency-key": "x" * 255}) == "x" * 255


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        ID[:-1],
        ID + "0",
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID[:-1] + "g",
        ID[:-1] + "\N{ARABIC-INDIC DIGIT ONE}",
        f"{ID}\n",
        "../" + ID,
    ],
)
def test_an_id_that_is_no_uuid_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequestError):
        parameters.uuid(text)


def test_an_id_is_taken_in_either_case() -> None:
    assert parameters.uuid(ID.upper()) == ID


def test_a_cursor_leads_its_own_project_back() -> None:
    cursor = write_cursor("dev", CREATED_KEY)
    assert read_cursor("dev", cursor) == CREATED_KEY
    with pytest.raises(BadRequestError):
        read_cursor("other", cursor)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "%%%", "ÿ", "AAAA", write_cursor("dev", "x"), write_cursor("dev", CREATED_KEY)[:-2], "A" * 10_000],
)
def test_a_cursor_that_we_did_not_write_is_a_bad_request(cursor: str) -> None:
    with pytest.raises(BadRequestError):
        read_cursor("dev", cursor)
