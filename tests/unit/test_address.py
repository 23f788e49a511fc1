import ipaddress
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhooks.webhook_url import AddressRefusedError, Destination, check_url

LONG_LABEL = "a" * 63
LONG_HOST = f"{LONG_LABEL}.{LONG_LABEL}.{LONG_LABEL}.{'a' * 57}.com"  # 253 characters
URLS: dict[str, dict[str, list[str]]] = json.loads(Path(__file__).with_name("webhook_urls.json").read_text())
TOO_LONG = ("https://a.co/" + "x" * 2036, f"https://{LONG_LABEL}a.com/", f"https://a{LONG_HOST}/")


def urls(kind: str) -> list[tuple[str, str]]:
    """Return (code of the refusal, URL)."""
    return [(code, url) for code, refused in URLS[kind].items() for url in refused]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://hooks.example.com", Destination("https", "hooks.example.com", 443, "/")),
        ("https://hooks.example.com/x", Destination("https", "hooks.example.com", 443, "/x")),
        ("https://hooks.example.com./x", Destination("https", "hooks.example.com", 443, "/x")),
        ("HTTPS://HOOKS.EXAMPLE.COM/x", Destination("https", "hooks.example.com", 443, "/x")),
        ("https://hooks.example.com:443/x", Destination("https", "hooks.example.com", 443, "/x")),
        ("https://hooks.example.com:8443/x?y=z", Destination("https", "hooks.example.com", 8443, "/x?y=z")),
        ("https://hooks.example.com?y=z", Destination("https", "hooks.example.com", 443, "/?y=z")),
        ("https://hooks.example.com/a%20b/%2e%2e/", Destination("https", "hooks.example.com", 443, "/a%20b/%2e%2e/")),
        ("https://hooks.example.com//evil.example/", Destination("https", "hooks.example.com", 443, "//evil.example/")),
        ("https://hooks.example.com/@127.0.0.1", Destination("https", "hooks.example.com", 443, "/@127.0.0.1")),
        (
            "https://hooks.example.com?u=https://u:p@10.0.0.1",
            Destination("https", "hooks.example.com", 443, "/?u=https://u:p@10.0.0.1"),
        ),
        ("https://xn--bcher-kva.example.org/", Destination("https", "xn--bcher-kva.example.org", 443, "/")),
        ("https://a_b.example.com/", Destination("https", "a_b.example.com", 443, "/")),
        ("https://127.0.0.1.nip.example.com/", Destination("https", "127.0.0.1.nip.example.com", 443, "/")),
        ("https://3com.com/", Destination("https", "3com.com", 443, "/")),
        ("https://0x7f.example.com/", Destination("https", "0x7f.example.com", 443, "/")),
        ("https://localhost.example.com/", Destination("https", "localhost.example.com", 443, "/")),
        ("https://mylocal.com/", Destination("https", "mylocal.com", 443, "/")),
        ("https://home.arpa.example.com/", Destination("https", "home.arpa.example.com", 443, "/")),
        (f"https://{LONG_HOST}/", Destination("https", LONG_HOST, 443, "/")),
        ("https://a.co/" + "x" * 2035, Destination("https", "a.co", 443, "/" + "x" * 2035)),
    ],
)
def test_public_url_gives_its_target(url: str, target: Destination) -> None:
    assert check_url(url) == target


@pytest.mark.parametrize(("code", "url"), [*urls("refused"), *(("bad_syntax", url) for url in TOO_LONG)])
def test_url_that_could_reach_us_or_mean_two_things_is_refused(code: str, url: str) -> None:
    with pytest.raises(AddressRefusedError) as refused:
        check_url(url)
    assert refused.value.code == code
    assert refused.value.message


def test_our_own_api_is_no_target() -> None:
    with pytest.raises(AddressRefusedError) as refused:
        check_url("https://API.example.com./api/submit", own_host="api.example.com")
    assert refused.value.code == "reserved_name"
    assert check_url("https://hooks.example.com/", own_host="api.example.com").host == "hooks.example.com"


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:9000/hook", Destination("http", "127.0.0.1", 9000, "/hook")),
        ("http://localhost/", Destination("http", "localhost", 80, "/")),
        ("https://localhost:1/", Destination("https", "localhost", 1, "/")),
        ("http://[::1]:8080/x", Destination("http", "::1", 8080, "/x")),
        ("http://127.8.9.10:65535/", Destination("http", "127.8.9.10", 65535, "/")),
        ("http://hooks.example.com:8080/", Destination("http", "hooks.example.com", 8080, "/")),
    ],
)
def test_development_flag_allows_local_targets(url: str, target: Destination) -> None:
    assert check_url(url, allow_insecure=True) == target


@pytest.mark.parametrize(("code", "url"), urls("refused_in_development"))
def test_development_flag_still_wants_a_clean_url(code: str, url: str) -> None:
    with pytest.raises(AddressRefusedError) as refused:
        check_url(url, allow_insecure=True)
    assert refused.value.code == code


@pytest.mark.parametrize("is_development", [False, True])
@pytest.mark.parametrize("url", ["https://host.docker.internal/", "https://192.168.1.7/", "https://[fd00::7]/"])
def test_refused_address_of_ones_own_network_names_the_way_out(*, url: str, is_development: bool) -> None:
    with pytest.raises(AddressRefusedError, match="`rustbox listen` forwards events to a program on your own machine"):
        check_url(url, allow_insecure=is_development)


@given(st.text(max_size=60).map(lambda text: "https://" + text))
def test_any_text_is_judged_without_another_error(url: str) -> None:
    try:
        target = check_url(url)
    except AddressRefusedError:
        return
    assert target.port in (443, 8443)
    assert target.host == target.host.lower()
    assert url.lower().startswith(f"https://{target.host}")


@given(st.ip_addresses(v=4))
def test_no_spelling_of_an_ipv4_address_passes(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for host in (str(address), str(number), hex(number), f"{number:#o}".replace("o", ""), f"[::ffff:{address}]"):
        with pytest.raises(AddressRefusedError):
            check_url(f"https://{host}/")
