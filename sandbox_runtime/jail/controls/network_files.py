"""Files below /etc by which programs look up names and check certificates. The same in each run, as the root is.

A run without network has them too: then a look-up fails at once, as each connect(2) does.
"""

from pathlib import Path

NAME_SERVER = "127.0.0.53"
"""In the net namespace of a run with network, a socket of the egress proxy."""

_FILES = {
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "resolv.conf": f"nameserver {NAME_SERVER}\n",
}
# OpenSSL, Go and the C libraries read the first, which OpenSSL's own path is a link to; the JDK reads the second.
_CERTIFICATES = ("ssl/certs/ca-certificates.crt", "ssl/certs/java/cacerts")


def write_network_files(etc: Path, host_etc: Path) -> None:
    """Write them into the guest's `etc`, with a copy of the host's certificates. Raises OSError."""
    for name, text in _FILES.items():
        (etc / name).write_text(text)
    for name in _CERTIFICATES:
        if (host_etc / name).is_file():
            (etc / name).parent.mkdir(parents=True, exist_ok=True)
            (etc / name).write_bytes((host_etc / name).read_bytes())
