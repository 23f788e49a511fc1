"""Files that programs leave, over HTTP and with the command line."""

import hashlib
import os
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.system.local_stack import ROOT, LocalStack, run

COMMAND = ROOT / ".venv" / "bin" / "rustbox"
PROGRAM = """
import os
os.makedirs('out/deep')
open('out/page.html', 'w').write('<script>alert(1)</script>')
open('out/deep/gr\u00fc\u00dfe 1.csv', 'w').write('a,b')
open('out/large.bin', 'wb').write(bytes(900_000))
os.symlink('/etc/passwd', 'out/link')
raise SystemExit(3)
"""


def test_files_are_listed_sent_as_downloads_and_deleted_with_their_result(
    client: httpx.Client, other_client: httpx.Client
) -> None:
    body = run(client, PROGRAM, artifacts=["out/**"])
    assert (body["verdict"], body["exit_code"]) == ("RE", 3)
    assert [file["path"] for file in body["artifacts"]] == [
        "out/large.bin",
        "out/page.html",
        "out/deep/gr\u00fc\u00dfe 1.csv",
    ]
    assert body["artifacts_skipped"] == [{"path": "out/link", "reason": "not_a_regular_file"}]
    for file in body["artifacts"]:
        path = f"/api/result/{body['id']}/artifacts/{file['path']}"
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]
        assert len(answer.content) == file["size"]
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"] == "attachment"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert other_client.get(path).status_code == 404
    for other in ("out/link", "out", "..%2fstdout", "out/page.html/"):
        assert client.get(f"/api/result/{body['id']}/artifacts/{other}").status_code == 404
    path = f"/api/result/{body['id']}/artifacts/out/page.html"
    assert client.delete(f"/api/result/{body['id']}").status_code == 200
    assert client.get(path).status_code == 404


def test_an_artifact_is_a_file_of_a_later_run(client: httpx.Client, other_client: httpx.Client) -> None:
    body = run(client, PROGRAM, artifacts=["out/large.bin"])
    (file,) = body["artifacts"]
    request = {
        "language": "python",
        "code": "import hashlib; print(hashlib.sha256(open('in.bin', 'rb').read()).hexdigest())",
        "files": [{"path": "in.bin", "sha256": file["sha256"], "read_only": True}],
    }
    assert other_client.post("/api/submit", json=request).status_code == 409
    waiting = client.post("/api/submit", json=request, params={"wait": "false"}).json()
    assert client.delete(f"/api/result/{body['id']}").status_code == 200
    while not waiting.get("result"):
        waiting = client.get(f"/api/result/{waiting['id']}", params={"wait": "20"}).json()
    assert waiting["output"]["stdout"] == file["sha256"] + "\n", waiting


@pytest.mark.parametrize("wait", ["true", "0"])
def test_a_file_of_25_mib_comes_out_whole(client: httpx.Client, wait: str) -> None:
    code = "import os\nwith open('large', 'wb') as file:\n    for n in range(25): file.write(os.urandom(1 << 20))"
    limits = {"file_size_mb": 25, "memory_mb": 256}
    body = client.post(
        "/api/submit",
        params={"wait": wait},
        json={"language": "python", "code": code, "artifacts": ["large"], "limits": limits},
    ).json()
    while not body.get("result"):
        body = client.get(f"/api/result/{body['id']}", params={"wait": "20"}).json()
    (file,) = body["artifacts"]
    assert file["size"] == 25 << 20
    answer = client.get(f"/api/result/{body['id']}/artifacts/large")
    assert hashlib.sha256(answer.content).hexdigest() == file["sha256"]


def test_the_command_line_saves_them(stack: LocalStack, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(PROGRAM)
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "RUSTBOX_URL": stack.url}
    arguments = ["run", "main.py", "--artifacts", "out/**", "--save", "saved"]
    ended = subprocess.run(
        [COMMAND, *arguments], cwd=tmp_path, env=variables, capture_output=True, timeout=120, check=False
    )
    assert ended.returncode == 3, ended.stderr.decode()
    assert b"not kept: out/link (not_a_regular_file)" in ended.stderr
    assert (tmp_path / "saved/out/deep/gr\u00fc\u00dfe 1.csv").read_text() == "a,b"
    assert (tmp_path / "saved/out/large.bin").stat().st_size == 900_000
    assert not (tmp_path / "saved/out/link").exists()
