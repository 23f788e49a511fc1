"""Lambda entry point of /api/webhooks and /api/deliveries: a project's endpoints and its deliveries."""

from aws_lambda_powertools.event_handler import Response

from functions.handlers.endpoint_wiring import wiring
from functions.http.answers import answer
from functions.http.resolver import PerThread, Resolver
from functions.settings import refuse_insecure_stage
from functions.telemetry import logger

refuse_insecure_stage()


def build_resolver() -> Resolver:
    """Return a resolver with the routes."""
    app = Resolver(logger("endpoints"))
    app.post("/api/webhooks")(lambda: wiring().endpoints.create(app))
    app.get("/api/webhooks")(lambda: wiring().endpoints.page(app))
    app.get("/api/webhooks/<id_text>")(lambda id_text: wiring().endpoints.one(app, id_text))
    app.patch("/api/webhooks/<id_text>")(lambda id_text: wiring().endpoints.change(app, id_text))
    app.delete("/api/webhooks/<id_text>")(lambda id_text: wiring().endpoints.delete(app, id_text))
    app.post("/api/webhooks/<id_text>/rotate")(lambda id_text: wiring().actions.rotate(app, id_text))
    app.post("/api/webhooks/<id_text>/test")(lambda id_text: wiring().actions.test(app, id_text))
    app.post("/api/webhooks/<id_text>/recover")(lambda id_text: wiring().actions.recover(app, id_text))
    app.get("/api/egress-addresses")(_egress_addresses)
    app.get("/api/deliveries")(lambda: wiring().deliveries.page(app))
    app.get("/api/deliveries/<id_text>")(lambda id_text: wiring().deliveries.one(app, id_text))
    app.post("/api/deliveries/<id_text>/replay")(lambda id_text: wiring().deliveries.replay(app, id_text))
    return app


def _egress_addresses() -> Response[str]:
    """Answer with the networks that the operator has configured, such as 192.0.2.7/32. None: any address."""
    networks = wiring().egress_addresses
    return answer({"networks": list(networks), "static": bool(networks)})


handler = PerThread(build_resolver).resolve
"""Lambda entry point, for events of an HTTP API."""
