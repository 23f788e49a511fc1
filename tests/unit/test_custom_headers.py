import pytest

from functions.webhooks.endpoints.model import HIDDEN
from functions.webhooks.endpoints.requests import MAX_HEADERS, normalise_headers

REFUSED = [
    *("Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "HTTP2-Settings"),
    *("Proxy-Authorization", "Proxy-Connection", "Proxy-Anything"),
    *("Host", "Content-Length", "Content-Type", "Content-Encoding", "Expect", "Accept-Encoding", "User-Agent", "Date"),
    *("Webhook-Id", "webhook-timestamp", "WEBHOOK-SIGNATURE", "webhook-x"),
    *("Cookie", "Set-Cookie", "Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"),
    *("Metadata", "Metadata-Flavor", "X-aws-ec2-metadata-token"),
]
NO_NAMES = [
    "",
    " ",
    "a b",
    "a:b",
    "a\r\nHost",
    "a\0",
    "é",
    "x" * 65,
    "a\ud800",
    "(a)",
    'a"b',
    "a/b",
    "\u017f",
    "\u212a",
]
NO_VALUES = ["", " a", "a ", "a\r\nx: y", "a\nb", "a\tb", "\0", "é", "a\x7f", "x" * 1_025, "\ud800", "\u2028"]


@pytest.mark.parametrize("name", REFUSED)
def test_headers_of_framing_routing_and_signing_are_refused(name: str) -> None:
    _, (problem,) = normalise_headers({name: "x"}, scheme="https")
    assert problem.field == f"headers.{name.lower()}"


@pytest.mark.parametrize("name", NO_NAMES)
def test_an_invalid_header_name_is_refused(name: str) -> None:
    _, problems = normalise_headers({name: "x"}, scheme="https")
    assert len(problems) == 1
    problems[0].field.encode()
    assert len(problems[0].field) <= 72


@pytest.mark.parametrize("value", NO_VALUES)
def test_an_invalid_header_value_is_refused_and_not_quoted(value: str) -> None:
    _, (problem,) = normalise_headers({"x-key": value}, scheme="https")
    assert problem.field == "headers.x-key"
    assert len(value.strip()) < 2 or value not in problem.message


def test_names_are_lower_case_and_values_stay() -> None:
    given = {"X-Team": "7", "Authorization": "Bearer a b", "X_a!#$%&'*+.^`|~-9": "~!", "Accept": "*/*"}
    headers, problems = normalise_headers(given, scheme="https")
    assert problems == []
    assert headers == {name.lower(): value for name, value in given.items()}


def test_a_credential_is_not_sent_in_the_clear() -> None:
    _, (problem,) = normalise_headers({"Authorization": "Bearer hidden"}, scheme="http")
    assert (problem.field, "hidden" in problem.message) == ("headers.authorization", False)


def test_one_name_in_two_cases_is_refused() -> None:
    _, (problem,) = normalise_headers({"X-Team": "7", "x-team": "8"}, scheme="https")
    assert problem.field == "headers"


def test_number_and_size_are_bounded() -> None:
    most = {f"x-{number}": "x" for number in range(MAX_HEADERS)}
    assert normalise_headers(most, scheme="https")[1] == []
    assert len(normalise_headers(most | {"x-more": "x"}, scheme="https")[1]) == 1
    assert len(normalise_headers({f"x-{number}": "x" * 1_024 for number in range(4)}, scheme="https")[1]) == 1
    assert len(normalise_headers(dict.fromkeys(map(str, range(100_000)), ""), scheme="https")[1]) <= MAX_HEADERS + 2


def test_a_hidden_value_stands_for_nothing_by_itself() -> None:
    assert len(normalise_headers({"x-team": HIDDEN}, scheme="https")[1]) == 1
