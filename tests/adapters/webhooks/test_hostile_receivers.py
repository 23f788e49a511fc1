"""Receivers that mean harm, through the whole pipeline: real sockets, an endpoint, a record of what came back."""

import gzip
import socket
from collections.abc import Callable

import pytest

from functions.webhooks.deliveries.model import DeliveryState
from functions.webhooks.egress import Egress
from tests.adapters.pipeline import Pipeline, changed
from tests.adapters.webhooks.raw_receivers import OK, Authority, Receiver, Serve, answer, drip, read_request


def drips(peer: socket.socket) -> None:
    read_request(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    drip(peer, b"x")


def sends_a_gigabyte(peer: socket.socket) -> None:
    read_request(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n")
    for _ in range(1024):
        peer.sendall(b"x" * 1_048_576)


def packs_a_bomb(peer: socket.socket) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    answer(f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(bomb)}\r\n\r\n".encode() + bomb)(peer)


def hangs(peer: socket.socket) -> None:
    read_request(peer)
    peer.recv(1)


@pytest.mark.parametrize(
    ("serve", "state", "outcome"),
    [
        (drips, DeliveryState.RETRYING, "timeout"),
        (hangs, DeliveryState.RETRYING, "timeout"),
        (sends_a_gigabyte, DeliveryState.DELIVERED, 200),
        (packs_a_bomb, DeliveryState.DELIVERED, 200),
        (answer(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000), DeliveryState.RETRYING, "response_invalid"),
        (answer(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 10_000_000), DeliveryState.RETRYING, "response_invalid"),
        (answer(b""), DeliveryState.RETRYING, "connection_reset"),
        (answer(b"\x00\xff"), DeliveryState.RETRYING, "response_invalid"),
    ],
    ids=["drips", "hangs", "1 GB", "gzip bomb", "endless headers", "endless header", "closes", "binary"],
)
def test_harm_is_recorded_as_an_attempt_and_costs_a_bounded_row(
    serve: Serve, state: DeliveryState, outcome: str | int, pipeline: Pipeline, start: Callable[..., Receiver]
) -> None:
    port = start(serve).port
    endpoint = pipeline.endpoint(url=f"http://127.0.0.1:{port}/hook")
    total_secs = 1.5 if outcome == "timeout" else 30  # packing the bomb takes a second on a slow machine
    pipeline.use(changed(pipeline.deliverer, egress=Egress(allow_insecure=True, total_secs=total_secs)))
    submission = pipeline.run(webhook_url=None)
    assert pipeline.webhook(*pipeline.hints()) == []
    assert pipeline.state(submission, endpoint.endpoint_id) is state
    (attempt,) = pipeline.attempts(submission, endpoint.endpoint_id)
    assert attempt.get("error_code") == outcome or attempt.get("status_code") == outcome
    assert len(attempt["head"]) <= 1024
    assert pipeline.slots.read("dev").live(pipeline.time() + 1_000) == {}


@pytest.mark.parametrize("names", [("hooks.example.com",), ("other.example.com",)], ids=["right", "wrong"])
def test_certificate_decides_over_real_tls(
    names: tuple[str, ...], pipeline: Pipeline, start: Callable[..., Receiver], authority: Authority
) -> None:
    port = start(answer(OK), authority.server_context(*names)).port
    endpoint = pipeline.endpoint(url=f"https://hooks.example.com:{port}/hook?token=very-hidden")
    egress = Egress(allow_insecure=True, resolver=lambda _host, _port: ["127.0.0.1"], trust=authority.client_context)
    pipeline.use(changed(pipeline.deliverer, egress=egress))
    submission = pipeline.run(webhook_url=None)
    pipeline.webhook(*pipeline.hints())
    (attempt,) = pipeline.attempts(submission, endpoint.endpoint_id)
    if names == ("hooks.example.com",):
        assert (attempt["status_code"], attempt["address"]) == (200, "127.0.0.1")
    else:
        assert attempt["error_code"] == "tls_error"
        assert pipeline.state(submission, endpoint.endpoint_id) is DeliveryState.RETRYING
