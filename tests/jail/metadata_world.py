"""A network namespace of its own in which the metadata service and the task's credentials answer, on its loopback.

`python metadata_world.py COMMAND...` makes it and runs the command in it. Not a packet leaves the namespace.
"""

import fcntl
import os
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESSES = {"lo:1": "169.254.169.254", "lo:2": "169.254.170.2"}
SECRET = "stolen-by-a-guest"
_SET_ADDRESS, _SET_FLAGS, _UP = 0x8916, 0x8914, 0x1


def _set_up_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
        for name, address in ADDRESSES.items():
            packed = struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, _SET_ADDRESS, packed)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = SECRET.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_PUT(self) -> None:  # the token of IMDSv2
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


def main(command: list[str]) -> int:
    """Serve both addresses while the command runs. Returns its exit code."""
    os.unshare(os.CLONE_NEWNET)
    _set_up_loopback()
    for address in ADDRESSES.values():
        server = ThreadingHTTPServer((address, 80), _Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    # What ECS gives a task, and what boto3 would follow.
    credentials = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": f"/v2/credentials/{SECRET}", "RUNNER_TOKEN": SECRET}
    return subprocess.run(command, env={**os.environ, **credentials}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
