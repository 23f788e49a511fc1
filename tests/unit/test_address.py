import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhooks.webhook_url import AddressRefusedError, Destination, check_url

LONG_LABEL = "a" * 63
LONG_HOST = f"{LONG_LABEL}.{LONG_LABEL}.{LONG_LABEL}.{'a' * 57}.com"  # 253 characters


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


@pytest.mark.parametrize(
    ("code", "url"),
    [
        ("bad_syntax", ""),
        ("bad_syntax", "https://a.co/" + "x" * 2036),
        ("bad_syntax", " https://hooks.example.com/"),
        ("bad_syntax", "https://hooks.example.com/ "),
        ("bad_syntax", "https://hooks.example.com/\n"),
        ("bad_syntax", "https://hooks.exam\tple.com/"),
        ("bad_syntax", "https://hooks.example.com/a\r\nhost: 127.0.0.1"),
        ("bad_syntax", "https://hooks.example.com/\x00"),
        ("bad_syntax", "https://hooks.example.com/\x7f"),
        ("bad_syntax", "https://hooks.example.com\\@127.0.0.1/"),
        ("bad_syntax", "https://hooks.example.com/\\x"),
        ("bad_syntax", "https:\\\\hooks.example.com/"),
        ("bad_syntax", "https://127%2e0%2e0%2e1/"),
        ("bad_syntax", "https://hooks.example.com%00.evil.example/"),
        ("bad_syntax", "https://bücher.example/"),
        ("bad_syntax", "https://hooks.example。com/"),
        ("bad_syntax", "https://①②⑦.⓪.⓪.①/"),
        ("bad_syntax", "https://"),
        ("bad_syntax", "https:///x"),
        ("bad_syntax", "https://?x"),
        ("bad_syntax", "https:hooks.example.com"),
        ("bad_syntax", "https:/hooks.example.com/"),
        ("bad_syntax", "https://:443/"),
        ("bad_syntax", "https://./"),
        ("bad_syntax", "https://hooks.example.com../"),
        ("bad_syntax", "https://hooks..example.com/"),
        ("bad_syntax", "https://.example.com/"),
        ("bad_syntax", "https://-hooks.example.com/"),
        ("bad_syntax", "https://hooks-.example.com/"),
        ("bad_syntax", "https://hooks,example.com/"),
        ("bad_syntax", "https://hooks.example.com;/"),
        ("bad_syntax", f"https://{LONG_LABEL}a.com/"),
        ("bad_syntax", f"https://a{LONG_HOST}/"),
        ("bad_syntax", "https://::1/"),
        ("bad_syntax", "https://hooks.example.com:443:443/"),
        ("bad_syntax", "https://[::1/"),
        ("bad_syntax", "https://[]/"),
        ("bad_syntax", "https://[hooks.example.com]/"),
        ("bad_syntax", "https://[::1]x:443/"),
        ("bad_syntax", "https://[fe80::1%25eth0]/"),
        ("bad_scheme", "hooks.example.com/x"),
        ("bad_scheme", "//hooks.example.com/x"),
        ("bad_scheme", "http://hooks.example.com/"),
        ("bad_scheme", "HTTP://hooks.example.com:443/"),
        ("bad_scheme", "ftp://hooks.example.com/"),
        ("bad_scheme", "file:///etc/passwd"),
        ("bad_scheme", "javascript:alert(1)"),
        ("bad_scheme", "gopher://hooks.example.com:443/"),
        ("bad_scheme", "https+http://hooks.example.com/"),
        ("bad_port", "https://hooks.example.com:80/"),
        ("bad_port", "https://hooks.example.com:22/"),
        ("bad_port", "https://hooks.example.com:0/"),
        ("bad_port", "https://hooks.example.com:65536/"),
        ("bad_port", "https://hooks.example.com:65979/"),  # 443 after a 16-bit overflow
        ("bad_port", "https://hooks.example.com:0443/"),
        ("bad_port", "https://hooks.example.com:+443/"),
        ("bad_port", "https://hooks.example.com:-443/"),
        ("bad_port", "https://hooks.example.com:4_43/"),
        ("bad_port", "https://hooks.example.com:443a/"),
        ("bad_port", "https://hooks.example.com:/"),
        ("userinfo", "https://user@hooks.example.com/"),
        ("userinfo", "https://user:pass@hooks.example.com/"),
        ("userinfo", "https://hooks.example.com@127.0.0.1/"),
        ("userinfo", "https://hooks.example.com:443@127.0.0.1/"),
        ("userinfo", "https://@hooks.example.com/"),
        ("fragment", "https://hooks.example.com/#x"),
        ("fragment", "https://hooks.example.com#@127.0.0.1/"),
        ("fragment", "https://hooks.example.com/x#"),
        ("ip_literal", "https://127.0.0.1/"),
        ("ip_literal", "https://127.0.0.1./"),
        ("ip_literal", "https://93.184.216.34/"),
        ("ip_literal", "https://127.1/"),
        ("ip_literal", "https://0x7f.1/"),
        ("ip_literal", "https://0X7F000001/"),
        ("ip_literal", "https://0x/"),
        ("ip_literal", "https://0177.0.0.1/"),
        ("ip_literal", "https://2130706433/"),
        ("ip_literal", "https://0/"),
        ("ip_literal", "https://1.2.3.0x4/"),
        ("ip_literal", "https://256.256.256.256/"),
        ("ip_literal", "https://hooks.1/"),
        ("ip_literal", "https://[::1]/"),
        ("ip_literal", "https://[::ffff:127.0.0.1]/"),
        ("ip_literal", "https://[2606:2800:220:1::1]:443/"),
        ("reserved_name", "https://localhost/"),
        ("reserved_name", "https://LOCALHOST./"),
        ("reserved_name", "https://a.localhost/"),
        ("reserved_name", "https://intranet/"),
        ("reserved_name", "https://router/"),
        ("reserved_name", "https://metadata.google.internal/"),
        ("reserved_name", "https://metadata.google.internal./"),
        ("reserved_name", "https://printer.local/"),
        ("reserved_name", "https://host.localdomain/"),
        ("reserved_name", "https://nas.home.arpa/"),
        ("reserved_name", "https://home.arpa/"),
        ("reserved_name", "https://box.lan/"),
        ("reserved_name", "https://hr.corp/"),
        ("reserved_name", "https://wiki.intranet/"),
        ("reserved_name", "https://abcdef.onion/"),
        ("reserved_name", "https://hooks.test/"),
        ("reserved_name", "https://hooks.invalid/"),
    ],
)
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


@pytest.mark.parametrize(
    ("code", "url"),
    [
        ("userinfo", "http://a@127.0.0.1/"),
        ("fragment", "http://127.0.0.1/#"),
        ("bad_syntax", "http://127.0.0.1\\@x/"),
        ("bad_syntax", "http://[::1%1]/"),
        ("bad_port", "http://127.0.0.1:70000/"),
        ("bad_scheme", "file:///etc/passwd"),
        ("ip_literal", "http://10.0.0.1/"),
        ("ip_literal", "http://169.254.169.254/latest/meta-data/"),
        ("ip_literal", "http://93.184.216.34/"),
        ("ip_literal", "http://0.0.0.0/"),
        ("ip_literal", "http://127.1/"),
        ("ip_literal", "http://2130706433/"),
        ("ip_literal", "http://0x7f.0.0.1/"),
        ("ip_literal", "http://[fe80::1]/"),
        ("ip_literal", "http://[::]/"),
        ("ip_literal", "http://[::ffff:127.0.0.1]/"),
        ("ip_literal", "http://[fd00:ec2::254]/"),
        ("reserved_name", "http://receiver:65535/"),
        ("reserved_name", "http://a.localhost/"),
        ("reserved_name", "http://metadata.google.internal/"),
    ],
)
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
