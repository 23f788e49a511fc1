"""`RUSTBOX_SYNCHRONOUS=FULL`: no loss of power undoes an answer, an upload, or the event of a sent webhook."""

import os
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from infra.embedded.storage.store import FILE_NAME
from infra.local.embedded_aws import FOLDER
from tests.disk.recorded_disk import RecordedDisk
from tests.system.local_stack import LocalStack, run, wait_until
from tests.system.webhook_inbox import Answer, Delivery, open_receiver

CLIENTS, RUNS = 8, 3
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILE_BYTES = (1000, 1_500_000)
"""The engine keeps the larger one in a file of its own."""


def store_file(client: httpx.Client, size: int) -> str:
    """Store random bytes, and return their checksum as the row of their object has it."""
    content = os.urandom(size)
    digest = sha256(content)
    asked = client.post("/api/files", json={"sha256": digest.hexdigest(), "size": size}).raise_for_status().json()
    client.put(asked["upload"]["url"], content=content, headers=asked["upload"]["headers"]).raise_for_status()
    return b64encode(digest.digest()).decode()


@pytest.mark.whole  # tests/embedded/test_power_loss.py shows it for the engine
def test_no_answer_and_no_sent_webhook_is_lost_with_the_power(
    tmp_path: Path, own_stack: Callable[..., LocalStack]
) -> None:
    disk, before = RecordedDisk(tmp_path / "record"), tmp_path / "before"
    local = own_stack(RUSTBOX_SYNCHRONOUS="FULL", RUSTBOX_PROCESSES="2")
    local.start()
    assert local.stop() == 0, local.log()
    folder = local.state_dir / FOLDER
    assert {path.name for path in folder.glob(f"{FILE_NAME}*")} == {FILE_NAME}  # a clean stop leaves no log
    before.mkdir()
    (before / FILE_NAME).write_bytes((folder / FILE_NAME).read_bytes())
    local.start(**disk.variables)
    sent = list[str]()

    def receive(delivery: Delivery) -> Answer:
        disk.note(delivery.webhook_id)
        sent.append(delivery.webhook_id)
        return Answer(200)

    def use(number: int, url: str) -> None:
        with local.client() as client:
            for size in FILE_BYTES:
                disk.note(store_file(client, size))
            for turn in range(RUNS):
                fields = {"language": "python", "code": f"print({number}, {turn})"}
                if turn % 3 == 0:
                    result = run(client, fields["code"])
                    disk.note(f"{result['id']} {result['verdict']}")
                    continue
                own = {"webhook_url": url, "webhook_secret": SECRET} if turn % 3 == 1 else {}
                submission_id = client.post("/api/submit", json=fields | own).raise_for_status().json()["id"]
                disk.note(submission_id)
                result = client.get(f"/api/result/{submission_id}", params={"wait": "20"}).json()
                if "verdict" in result:
                    disk.note(f"{submission_id} {result['verdict']}")

    with open_receiver(receive) as url, local.client() as client:
        for ordered in (True, False):
            answer = client.post("/api/webhooks", json={"url": url, "ordered": ordered}).raise_for_status()
            disk.note(answer.json()["id"])
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda number: use(number, url), range(CLIENTS)))
        # Each run for both endpoints, and those with a webhook of their own.
        wait_until(lambda: len(sent) >= CLIENTS * RUNS * 2 + CLIENTS * RUNS // 3, 60, "all webhooks came", local.log)
    assert local.stop() == 0, local.log()
    losses = 0
    told = list[str]()
    for loss in disk.losses(before):
        losses += 1
        loss.write(tmp_path / "after")
        with closing(sqlite3.connect(tmp_path / "after" / FILE_NAME)) as connection:
            rows = [row for (row,) in connection.execute("SELECT pk || ' ' || sk || ' ' || body FROM item")]
            rows += [row for (row,) in connection.execute("SELECT sha256 FROM object WHERE sha256 IS NOT NULL")]
        told = loss.notes
        assert [note for note in set(told) if not any(all(word in row for word in note.split()) for row in rows)] == []
    assert {"AC"} == {note.partition(" ")[2] for note in told} - {""}
    assert set(told) > set(sent)
    assert len(set(sent)) >= CLIENTS * RUNS
    assert losses > CLIENTS
