"""The documentation at /docs/: files of the built site and nothing else; all other paths are the gateway's."""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.http.site import Site
from tests.local_front import gateway, ok, serving

SCRIPT = 'document.body.dataset.theme = "auto";'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("secret")
    built = tmp_path / "site"
    (built / "_static").mkdir(parents=True)
    (built / "index.html").write_text(f"<body><script>{SCRIPT}</script>start</body>")
    (built / "link.txt").symlink_to(tmp_path / "secret.txt")
    (built / "linked").symlink_to(tmp_path)
    (built / ".doctrees").mkdir()
    (built / ".doctrees" / "x").write_text("of the builder")
    (built / "_static" / "theme.css").write_text("a{}")
    return built


@pytest.fixture
def client(folder: Path) -> Iterator[httpx.Client]:
    with (
        serving(Site(folder, gateway(ok))) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as found,
    ):
        yield found


@pytest.mark.parametrize(
    ("path", "text", "content_type"),
    [
        ("/docs/", "start", "text/html; charset=utf-8"),
        ("/docs/index.html", "start", "text/html; charset=utf-8"),
        ("/docs/_static/theme.css", "a{}", "text/css; charset=utf-8"),
    ],
)
def test_a_file_of_the_site_is_served(client: httpx.Client, path: str, text: str, content_type: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    assert text in answer.text
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")


def test_the_policy_allows_the_inline_scripts_of_the_theme_and_no_other_host(client: httpx.Client) -> None:
    policy = client.get("/docs/").headers["content-security-policy"]
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"default-src 'none'; script-src 'self' 'sha256-{digest}';" in policy
    assert "http" not in policy


@pytest.mark.parametrize(
    "path",
    [
        *("/docs/../secret.txt", "/docs/%2e%2e/secret.txt", "/docs/..%2fsecret.txt", "/docs//etc/passwd"),
        *("/docs/_static", "/docs/_static/", "/docs/%00", "/docs/_static/%2e%2e/index.html", "/docs/.doctrees/x"),
        *("/docs/link.txt", "/docs/linked/secret.txt", "/docs/index.html/", "/docs/index.html/x", "/docs/%ff"),
    ],
)
def test_no_path_leads_out_of_the_site(client: httpx.Client, path: str) -> None:
    request = client.build_request("GET", "/")
    request.url = request.url.copy_with(raw_path=path.encode())
    answer = client.send(request)
    assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})


def test_other_paths_and_methods_are_those_of_the_gateway(client: httpx.Client) -> None:
    assert client.get("/api/languages").json() == {}
    assert client.post("/docs/").status_code == 404


def test_the_address_of_the_reference_leads_to_the_site_once_it_is_built(folder: Path) -> None:
    (folder / "index.html").rename(folder / "index.kept")
    with serving(Site(folder, gateway(ok))) as port:
        address = f"http://127.0.0.1:{port}/docs"
        assert httpx.get(address, timeout=60).status_code == 404  # no route of this test
        (folder / "index.kept").rename(folder / "index.html")
        answer = httpx.get(address, timeout=60)
        assert (answer.status_code, answer.headers["location"]) == (307, "/docs/")
        assert "start" in httpx.get(f"{address}/", timeout=60).text


def test_a_page_that_comes_after_the_index_is_served(client: httpx.Client, folder: Path) -> None:
    assert client.get("/docs/late.html").status_code == 404
    (folder / "late.html").write_text("late")
    assert client.get("/docs/late.html").text == "late"


def test_without_a_site_the_gateway_answers(tmp_path: Path) -> None:
    with serving(Site(tmp_path / "none", gateway(ok))) as port:
        assert httpx.get(f"http://127.0.0.1:{port}/docs/", timeout=60).status_code == 404


def test_a_file_that_is_gone_is_404(client: httpx.Client, folder: Path) -> None:
    (folder / "_static" / "theme.css").unlink()
    assert client.get("/docs/_static/theme.css").status_code == 404
