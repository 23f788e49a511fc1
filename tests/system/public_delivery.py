"""Deliver from `make serve` over TLS to public addresses, inside a network namespace that has no way out.

`unshare --net --mount python -m tests.system.public_delivery FOLDER` prints the attempts for each host name, and the
deliveries that came.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from tests.adapters.webhooks.raw_receivers import Authority
from tests.system.first_project import admin_keys, first_project
from tests.system.local_stack import LocalStack, free_port, wait_until
from tests.system.webhook_inbox import Inbox, open_inbox

PUBLIC, PRIVATE = "93.184.215.14", "10.0.0.1"
HOSTS = {"hooks.example.com": PUBLIC, "other.example.com": PUBLIC, "inside.example.com": PRIVATE}
"""The certificate is for the first one only."""
_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
_ATTEMPT_SECS = 30
_SET_FLAGS, _SET_ADDRESS, _UP = 0x8914, 0x8916, 0x41  # netdevice(7): SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP | IFF_RUNNING


def main(folder: Path) -> None:
    """Use the namespaces of this process: it must have none of the host's."""
    for label, address in (("lo", "127.0.0.1"), ("lo:1", PUBLIC), ("lo:2", PRIVATE)):
        _add_address(label, address)
    hosts, authority, trusted = folder / "hosts", Authority(folder), folder / "trusted.pem"
    hosts.write_text("".join(f"{address} {name}\n" for name, address in HOSTS.items()))
    subprocess.run(["/usr/bin/mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    trusted.write_text(authority.pem)
    stack = LocalStack(
        folder / "state",
        RUSTBOX_PUBLIC_URL="https://rustbox.example",
        RUSTBOX_METRICS_PORT=str(free_port()),
        SLOTS="1",
        SSL_CERT_FILE=str(trusted),
    )
    stack.command = "serve"
    with open_inbox(address=(PUBLIC, 443), tls=authority.server_context("hooks.example.com")) as inbox:
        try:
            stack.start()
            with stack.client(first_project(stack, admin_keys(stack)[0])) as client:
                sys.stdout.write(json.dumps(_deliver(stack, client, inbox)))
        finally:
            stack.close()


def _add_address(label: str, address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sHH4s16x", label.encode(), socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(control, _SET_ADDRESS, request)
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH22x", label.encode(), _UP))


def _deliver(stack: LocalStack, client: httpx.Client, inbox: Inbox) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in HOSTS:
        run = {"language": "python", "code": "print(1)", "webhook_url": f"https://{name}/hook"}
        answer = client.post("/api/submit", json=run | {"webhook_secret": _SECRET})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        path = f"/api/deliveries/{answer.json()['id']}.run"

        def attempts(path: str = path) -> list[dict[str, Any]]:
            got = client.get(path)
            return list(got.json()["attempts"]) if got.status_code == httpx.codes.OK else []

        wait_until(lambda: attempts() != [], _ATTEMPT_SECS, f"an attempt to {name}", stack.log)
        found[name] = {field: attempts()[0][field] for field in ("status_code", "error_code", "address")}
    came = inbox.all()
    found["came"] = [(delivery.headers["host"], json.loads(delivery.body)["stdout"]) for delivery in came]
    for delivery in came:
        Webhook(_SECRET).verify(delivery.body, delivery.headers)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
