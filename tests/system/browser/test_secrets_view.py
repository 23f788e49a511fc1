"""The view of secrets: one is set, listed without its value, and deleted."""

import httpx
from playwright.sync_api import expect

from functions.projects.model import NetworkAccess, Project, ProjectNetwork
from functions.projects.store import ProjectStore
from tests.submission_factory import GENEROUS
from tests.system.browser.console import Console, assert_sound
from tests.system.local_stack import LocalStack, wait_until

VALUE = "a-value-that-nobody-sees"


def allow_public_hosts(stack: LocalStack, tenant: httpx.Client) -> None:
    """Allow them to the project, and wait until each process of the service knows it."""
    network = ProjectNetwork(NetworkAccess.PUBLIC)
    projects = ProjectStore("rustbox-local-ProjectsTable", stack.aws("dynamodb"))
    projects.create_project(Project("console", "console", quotas=GENEROUS, network=network))
    probe = {"value": VALUE, "host": "api.example.com", "as": "bearer"}
    wait_until(
        lambda: all(tenant.put("/api/secrets/probe", json=probe).is_success for _ in range(20)),
        60,
        "the project has no network",
    )
    assert tenant.delete("/api/secrets/probe").is_success


def test_a_secret_is_set_listed_and_deleted(own_console: Console, stack: LocalStack, tenant: httpx.Client) -> None:
    allow_public_hosts(stack, tenant)
    page = own_console.open("checks")
    page.get_by_role("link", name="Secrets that programs use").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Secrets")
    page.get_by_label("Name", exact=True).fill("stripe")
    page.get_by_label("Host", exact=True).fill("api.stripe.com")
    page.get_by_label("Value").fill(VALUE)
    page.get_by_label("Sent as").select_option("header")
    page.get_by_label("Its name").fill("X-Api-Key")
    page.get_by_label("Methods").fill("get, post")
    page.get_by_label("Paths").fill("/v1/charges")
    page.get_by_role("button", name="Save").click()
    row = page.locator("tbody tr")
    for text in ("stripe", "api.stripe.com:443", "header: X-Api-Key", "GET, POST, /v1/charges"):
        expect(row).to_contain_text(text)
    assert VALUE not in page.content()
    shown = tenant.get("/api/secrets/stripe").json()
    assert (shown["as"], shown["methods"], shown["paths"]) == (
        {"header": "X-Api-Key"},
        ["GET", "POST"],
        ["/v1/charges"],
    )
    assert_sound(own_console)
    row.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Runs that were accepted before keep it.")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No secrets yet")).to_be_visible()
    assert tenant.get("/api/secrets").json()["items"] == []


def test_a_wrong_secret_says_why(own_console: Console) -> None:
    page = own_console.open("secrets")
    page.get_by_label("Name", exact=True).fill("mail")
    page.get_by_label("Host", exact=True).fill("127.0.0.1")
    page.get_by_label("Value").fill(VALUE)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("An address is not allowed")).to_be_visible()
