"""The administrator's view: projects, keys, runners, changes. Sound on a phone and on a desktop; by keyboard too."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect

from functions.http.rights import RIGHTS
from functions.projects.model import Project
from functions.projects.store import ProjectStore
from tests.submission_factory import GENEROUS
from tests.system.browser.console import HOSTILE, PHONE, Console, assert_sound, open_console, shown
from tests.system.local_stack import ADMIN_KEY, API_KEY, LocalStack, wait_until

NAME = HOSTILE[:70] + HOSTILE[-20:]
"""Markup, as far as the API takes it for a name."""


@pytest.fixture
def admin(stack: LocalStack) -> Iterator[httpx.Client]:
    """Give a client with the administrator's key."""
    with httpx.Client(base_url=stack.url, headers={"X-Admin-Key": ADMIN_KEY}, timeout=30) as client:
        yield client


@contextmanager
def signed_in(browser: Browser, stack: LocalStack, place: str = "admin") -> Iterator[tuple[Console, Page]]:
    """Open a view as the administrator, by the keyboard alone. No request has the key elsewhere than in its header."""
    requests: list[Request] = []
    with open_console(browser, stack, api_key=None, screen=PHONE) as console:
        console.page.on("request", lambda request: requests.append(request))  # noqa: PLW0108 - Playwright marks it
        page = console.open(place)
        page.get_by_label("Sign in as").select_option("the administrator")
        page.get_by_label("Administrator's key").focus()
        page.keyboard.type(ADMIN_KEY)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Sign out").wait_for()
        yield console, page
        assert ADMIN_KEY not in page.url
        keyed = [request for request in requests if "x-admin-key" in request.headers]
        assert keyed
        assert not [request.url for request in requests if ADMIN_KEY in request.url or "x-api-key" in request.headers]


def new_project(admin: httpx.Client, name: str) -> str:
    return str(admin.post("/api/projects", json={"name": name}).raise_for_status().json()["id"])


def test_each_kind_of_key_signs_in_as_its_own_kind_only_and_is_forgotten(browser: Browser, stack: LocalStack) -> None:
    with open_console(browser, stack, api_key=None) as console:
        page = console.open("admin")
        expect(page.get_by_label("Sign in as")).to_have_value("admin")
        page.get_by_label("Administrator's key").fill(API_KEY)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        page.get_by_label("Sign in as").select_option("a user of a project")
        page.get_by_label("API key").fill(ADMIN_KEY)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0
        assert_sound(console)
        page.get_by_label("API key").fill(API_KEY)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text("Administration")
        expect(page.get_by_role("navigation", name="Views").get_by_role("link", name="Runs")).to_be_visible()
    with signed_in(browser, stack, "runs") as (console, page):
        expect(page.get_by_role("heading", level=1)).to_have_text("Administration")
        assert page.evaluate("sessionStorage.getItem('rustbox.key')") is None
        page.reload()
        expect(page.get_by_role("heading", level=1)).to_have_text("Administration")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert ADMIN_KEY not in page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")


def test_a_project_is_created_changed_disabled_and_enabled(
    browser: Browser, stack: LocalStack, admin: httpx.Client
) -> None:
    with signed_in(browser, stack) as (console, page):
        page.get_by_label("Name of a new project").fill(NAME)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(shown(NAME))
        path = f"/api/projects/{page.url.rpartition('/')[2]}"
        before = admin.get(path).json()
        assert before["name"] == NAME
        settings = page.get_by_role("form", name="Settings")
        settings.get_by_label("Name", exact=True).fill("Spring course")
        settings.get_by_role("checkbox", name="agent").uncheck()
        settings.get_by_label("Runs a minute").first.fill("7")
        settings.get_by_label("Hosts that programs may reach").select_option("listed")
        settings.get_by_label("Allowed hosts").fill("127.0.0.1")
        settings.get_by_role("button", name="Save").click()
        expect(settings.get_by_role("alert")).to_contain_text("network.allow")
        assert admin.get(path).json() == before
        settings.get_by_label("Allowed hosts").fill("api.example.com\n*.example.org:8443")
        assert_sound(console)
        settings.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Spring course")
        after = admin.get(path).json()
        quota = before["quotas"]["judge"] | {"per_minute": 7}
        network = {"access": "listed", "allow": ["*.example.org:8443", "api.example.com:443"]}
        assert after == before | {
            "name": "Spring course",
            "profiles": ["judge"],
            "quotas": before["quotas"] | {"judge": quota},
            "network": before["network"] | network,
        }
        page.get_by_role("button", name="Disable…").click()
        page.get_by_role("button", name="Disable", exact=True).click()
        expect(page.locator(".badge")).to_have_text("disabled")
        assert not admin.get(path).json()["enabled"]
        page.get_by_role("button", name="Enable").click()
        expect(page.locator(".badge")).to_have_text("enabled")
        assert admin.get(path).json() == after


def test_a_key_is_shown_once_and_revoked_for_good(browser: Browser, stack: LocalStack, admin: httpx.Client) -> None:
    project = new_project(admin, "keys")
    with signed_in(browser, stack, f"admin/{project}") as (console, page):
        form = page.get_by_role("form", name="Issue a key")
        rights = form.get_by_role("checkbox")
        expect(rights).to_have_count(len(RIGHTS))
        assert rights.evaluate_all("all => all.map(({ value }) => value)") == [*RIGHTS]
        form.get_by_role("button", name="Issue").click()
        expect(form.get_by_role("alert")).to_contain_text("rights")
        form.get_by_label("run").check()
        form.get_by_label("Name of the key").fill(NAME)
        form.get_by_label("Expires").fill("2099-01-31T12:00")
        form.get_by_role("button", name="Issue").click()
        made = page.locator(".notice code")
        key = made.inner_text()
        assert httpx.get(f"{stack.url}/api/key", headers={"X-API-Key": key}).json()["rights"] == ["run"]
        row = page.locator("tbody tr")
        for text in (shown(NAME), key[:12], "run", "2099"):
            expect(row).to_contain_text(text)
        assert_sound(console)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy the key").click()
        assert page.evaluate("navigator.clipboard.readText()") == key
        page.get_by_role("button", name="I have it").click()
        assert key not in page.content()
        row.get_by_role("button", name="Revoke…").press("Enter")
        page.get_by_role("button", name="Revoke", exact=True).press("Enter")
        expect(row).to_contain_text("revoked")
        expect(row.get_by_role("button")).to_have_count(0)
        wait_until(
            lambda: httpx.get(f"{stack.url}/api/key", headers={"X-API-Key": key}).status_code == 401,
            30,
            "the revoked key is refused",
        )
        page.reload()
        expect(row).to_contain_text("revoked")
        assert key not in page.content()


def test_lists_show_projects_runners_and_changes_with_hostile_names(
    browser: Browser, stack: LocalStack, admin: httpx.Client
) -> None:
    project = new_project(admin, NAME)
    # The API takes no name with characters that nobody sees. A row of another writer may have one.
    projects = ProjectStore("rustbox-local-ProjectsTable", stack.aws("dynamodb"))
    projects.create_project(Project("hidden", HOSTILE, quotas=GENEROUS))
    with signed_in(browser, stack) as (console, page):
        expect(page.locator(f"tbody a[href='#/admin/{project}']")).to_have_text(shown(NAME))
        expect(page.locator("tbody a[href='#/admin/hidden']")).to_have_text(shown(HOSTILE))
        assert_sound(console)
        lists = page.get_by_role("navigation", name="Lists")
        lists.get_by_role("link", name="Runners").press("Enter")
        expect(page.locator("tbody tr").first).to_contain_text(re.compile("local.*live.* of ", re.DOTALL))
        assert_sound(console)
        lists.get_by_role("link", name="Changes").press("Enter")
        row = page.locator("tbody tr").filter(has_text=project).first
        expect(row).to_contain_text("project.created")
        row.locator("summary").press("Enter")
        expect(row.locator("details")).to_contain_text("<script>alert(1)</script>")
        assert_sound(console)
        page.get_by_label("Since").fill("2099-01-31T12:00")
        page.get_by_label("Since").press("Tab")
        expect(page.get_by_role("heading", name="No changes")).to_be_visible()
        assert page.locator("main img, main h1 + h1").count() == 0


def test_a_refused_key_of_the_administrator_leads_to_the_sign_in(browser: Browser, stack: LocalStack) -> None:
    with signed_in(browser, stack) as (_, page):
        refresh = page.get_by_role("button", name="Refresh")
        refresh.wait_for()
        page.evaluate("sessionStorage.setItem('rustbox.admin_key', 'admin_of_nobody')")
        refresh.click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_label("Sign in as")).to_have_value("admin")
        assert page.evaluate("sessionStorage.getItem('rustbox.admin_key')") is None
