"""The public status page of a project: off by default, and only of chosen checks."""

from typing import Any

from tests.adapters.checks.check_world import MINUTE, CheckWorld, prints
from tests.adapters.http_calls import Answer, call, event

CHECK = {"schedule": "rate(5 minutes)", "assertions": [{"type": "stdout", "equals": "42"}]}


def put(world: CheckWorld, **changes: Any) -> Answer:
    return world.call("PUT", "/api/status-page", {"title": "Example", "checks": ["first"], **changes})


def public(url: str) -> Answer:
    return call(event("GET", url))


def test_the_page_shows_only_the_chosen_checks(world: CheckWorld) -> None:
    assert world.call("GET", "/api/status-page").status == 404
    for name in ("First", "Second"):
        world.create(name=name, slug=name.lower(), **CHECK)
    world.answer = prints("SECRET OUTPUT")
    world.settle(6 * MINUTE)
    page = put(world).json
    assert world.call("GET", "/api/status-page").json == page
    answer = public(page["url"])
    text = answer.raw.decode()
    assert answer.status == 200
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert "script" not in answer.headers["content-security-policy"]
    assert "First" in text
    assert "Down" in text
    assert "Second" not in text
    assert "SECRET OUTPUT" not in text
    assert "prints" not in text
    assert "Up 0.00 % since" in text


def test_a_check_without_a_run_has_no_data(world: CheckWorld) -> None:
    world.create(name="First", slug="first", **CHECK)
    text = public(put(world).json["url"]).raw.decode()
    assert text.count('<rect class="none"') == 90
    assert "No data</p>" in text


def test_output_is_shown_only_if_that_is_chosen(world: CheckWorld) -> None:
    world.create(name="First", slug="first", **CHECK)
    world.answer = prints("<b>43")
    world.settle(6 * MINUTE)
    page = put(world, shows_output=True).json
    assert "got &lt;b&gt;43" in public(page["url"]).raw.decode()


def test_an_outage_that_is_over_stays_on_the_page(world: CheckWorld) -> None:
    check = world.create(name="First", slug="first", **CHECK)
    world.answer = prints("43")
    world.settle(6 * MINUTE)
    world.answer = prints("42")
    world.settle(6 * MINUTE)
    assert world.show(check)["state"] == "up"
    text = public(put(world).json["url"]).raw.decode()
    assert "down for 5 min" in text
    assert "not over yet" not in text
    assert "No check is down." in text


def test_the_page_keeps_its_address_until_it_is_turned_off(world: CheckWorld) -> None:
    world.create(name="First", slug="first")
    url = put(world).json["url"]
    assert put(world, title="Other").json["url"] == url
    assert world.call("DELETE", "/api/status-page").json == {"deleted": True}
    assert public(url).status == 404
    assert world.call("DELETE", "/api/status-page").status == 404
    assert put(world).json["url"] != url
    assert public(url).status == 404


def test_wrong_addresses_and_settings_are_refused(world: CheckWorld) -> None:
    world.create(name="First", slug="first")
    for token in ("a" * 32, "x", "%3Cscript%3E"):
        assert public(f"/status/{token}").status == 404
    settings: list[dict[str, Any]] = [{"checks": ["no"]}, {"checks": []}, {"title": "a\nb"}]
    fields = [put(world, **wrong).json["fields"][0]["field"] for wrong in settings]
    assert fields == ["checks[0]", "checks", "title"]
    assert call(event("PUT", "/api/status-page", body="{}")).status == 401


def test_a_deleted_check_leaves_the_page(world: CheckWorld) -> None:
    check = world.create(name="First", slug="first")
    world.create(name="Second", slug="second")
    url = put(world, checks=["first", "second"]).json["url"]
    world.call("DELETE", f"/api/checks/{check['id']}")
    assert "First" not in public(url).raw.decode()


def test_readers_within_seconds_share_one_reading(world: CheckWorld) -> None:
    check = world.create(name="First", slug="first")
    url = put(world).json["url"]
    before = public(url).raw
    world.call("PATCH", f"/api/checks/{check['id']}", {"name": "Renamed"})
    assert public(url).raw == before
    world.time.advance(15)
    assert "Renamed" in public(url).raw.decode()
