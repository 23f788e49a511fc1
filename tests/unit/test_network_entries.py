"""The entries `name[:port]` of a request: their normal form, and a reason for each wrong one."""

import re

import pytest

from events.network import Network, allowed_host
from functions.projects.model import NO_NETWORK, NetworkAccess, ProjectNetwork


@pytest.mark.parametrize(
    ("entry", "normal"),
    [
        ("api.example.com", "api.example.com:443"),
        ("API.Example.COM:8443", "api.example.com:8443"),
        ("*.example.org", "*.example.org:443"),
        ("db.example.com:5432", "db.example.com:5432"),
        ("xn--bcher-kva.example:1", "xn--bcher-kva.example:1"),
        ("a.example:65535", "a.example:65535"),
    ],
)
def test_an_entry_has_a_normal_form(entry: str, normal: str) -> None:
    assert str(allowed_host(entry)) == normal


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("127.0.0.1", "An address is not allowed"),
        ("127.0.0.1:443", "An address is not allowed"),
        ("2130706433", "An address is not allowed"),
        ("0x7f000001", "An address is not allowed"),
        ("0177.1:80", "An address is not allowed"),
        ("10.0.0.0xff", "An address is not allowed"),
        ("::1", "An address is not allowed"),
        ("[::1]:443", "An address is not allowed"),
        ("::ffff:127.0.0.1", "An address is not allowed"),
        ("[", "An address is not allowed"),
        ("*", "A * stands only at the start"),
        ("*.com", "A * stands only at the start"),
        ("a.*.example", "A * stands only at the start"),
        ("*:443", "A * stands only at the start"),
        ("my_host.example.com", "no underscore"),
        ("localhost", "at least two labels"),
        ("localhost:8080", "at least two labels"),
        ("", "at least two labels"),
        ("api.example.com.", "Leave out the dot"),
        ("https://api.example.com", "looks like a URL"),
        ("api.example.com/path", "looks like a URL"),
        ("user@api.example.com", "looks like a URL"),
        ("bücher.example", "ASCII form: xn--bcher-kva.example"),
        ("api.slac\N{KELVIN SIGN}.com", "ASCII form: api.slack.com"),
        ("a" * 64 + ".example", "1 to 63 of a to z"),
        ("-a.example", "1 to 63 of a to z"),
        ("a b.example", "1 to 63 of a to z"),
        ("a.example\n", "1 to 63 of a to z"),
        (".".join(["a" * 60] * 5), "at most 253"),
        ("api.example.com:", "port must be"),
        ("api.example.com:0", "port must be"),
        ("api.example.com:65536", "port must be"),
        ("api.example.com:https", "port must be"),
        ("api.example.com:-1", "port must be"),
        ("api.example.com:٤٤٣", "port must be"),
        ("api.example.com:0443", "port must be"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_reason(entry: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        allowed_host(entry)


def test_a_list_has_each_host_once_and_in_order() -> None:
    network = Network.of(["b.example:443", "a.example", "B.example", "a.example:80"])
    assert network.entries == ("a.example:80", "a.example:443", "b.example:443")


@pytest.mark.parametrize(
    ("pattern", "entry", "is_covered"),
    [
        ("api.example.com", "api.example.com:443", True),
        ("api.example.com", "api.example.com:80", False),
        ("*.example.com", "api.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "*.b.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "badexample.com", False),
        ("*.b.example.com", "*.example.com", False),
        ("api.example.com", "*.example.com", False),
        ("*.example.com:8443", "api.example.com", False),
    ],
)
def test_a_project_may_reach_what_its_patterns_cover(pattern: str, entry: str, *, is_covered: bool) -> None:
    listed = ProjectNetwork(NetworkAccess.LISTED, (pattern,))
    assert (listed.missing(Network.of([entry])) == ()) is is_covered


def test_a_project_without_network_reaches_nothing_and_a_public_one_all() -> None:
    network = Network.of(["a.example", "*.b.example:80"])
    assert NO_NETWORK.missing(network) == ("*.b.example:80", "a.example:443")
    assert ProjectNetwork(NetworkAccess.PUBLIC).missing(network) == ()
