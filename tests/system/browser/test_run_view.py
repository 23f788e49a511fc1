"""Sign in, run a program, read its result: by mouse, by keyboard, on a phone, and with hostile outputs."""

import json
import os
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from functions.projects.model import Quota
from tests.submission_factory import golden
from tests.system.browser.console import HOSTILE, PHONE, Console, assert_sound, open_console, shown
from tests.system.local_stack import API_KEY, LocalStack


def run(console: Console, code: str, language: str = "python") -> None:
    """Type a program, run it with the keyboard, and wait for the verdict."""
    console.page.get_by_label("Language").select_option(language)
    console.page.get_by_label("Program", exact=True).and_(console.page.locator("textarea")).fill(code)
    console.page.keyboard.press("Control+Enter")
    console.page.locator(".result").wait_for()


def test_a_key_signs_in_and_a_wrong_one_says_why(browser: Browser, stack: LocalStack) -> None:
    with open_console(browser, stack, api_key=None) as console:
        page = console.open()
        assert console.accessibility_problems() == []
        expect(page).to_have_title("Sign in · Rustbox console")
        page.get_by_label("API key").fill("rb_live_of_nobody")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("key")
        page.get_by_role("button", name="Fill in the key").click()
        page.keyboard.press("Tab")
        page.get_by_label("API key").press("Enter")
        expect(page.get_by_role("heading", name="Run a program")).to_be_visible()
        expect(page).to_have_title("Run · Rustbox console")
        assert console.accessibility_problems() == []
        assert page.evaluate("[localStorage.length, document.cookie, sessionStorage['rustbox.key']]") == [
            0,
            "",
            API_KEY,
        ]
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert page.evaluate("sessionStorage.getItem('rustbox.key')") is None


def test_a_revoked_key_leads_back_to_the_sign_in(browser: Browser, stack: LocalStack) -> None:
    with open_console(browser, stack, api_key="rb_live_revoked") as console:
        page = console.open()
        page.get_by_role("button", name="Run Ctrl Enter").click()
        expect(page.get_by_label("API key")).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("key")


@pytest.mark.parametrize("screen", ["console", pytest.param("phone", marks=pytest.mark.whole)])
def test_a_run_shows_verdict_times_output_and_evidence(screen: str, request: pytest.FixtureRequest) -> None:
    console: Console = request.getfixturevalue(screen)
    page = console.open("run")
    run(console, "import sys\nprint(6 * 7)\nprint('oops', file=sys.stderr)")
    expect(page.locator(".hero")).to_contain_text("Accepted")
    expect(page.get_by_role("region", name="Standard output")).to_have_text("42\n")
    expect(page.get_by_role("region", name="Standard error")).to_have_text("oops\n")
    expect(page.get_by_label("Times")).to_contain_text("Ran")
    page.get_by_text("Evidence:").click()
    expect(page.get_by_text("Connecting and looking up names fail at once.")).to_be_visible()
    assert console.accessibility_problems() == []
    assert not console.is_too_wide()


def test_the_keyboard_alone_runs_a_program(console: Console) -> None:
    page = console.open("run")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    code = page.locator("#code")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "code":
            break
    page.keyboard.press("Control+A")
    page.keyboard.type("for i in range(2):\nprint(i)")
    assert code.input_value() == "for i in range(2):\n    print(i)"
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="Standard output")).to_have_text("0\n1\n")
    assert page.locator(".hero").get_attribute("role") == "status"


WAITS = f"""
import sys, time
print("so far", flush=True)
sys.stderr.write({HOSTILE!a})
sys.stderr.flush()
time.sleep(600)
"""


def start_waiting_program(console: Console) -> None:
    """Run a program that prints and goes on, and wait until the page shows what it has printed."""
    page = console.open("run")
    page.locator(".options summary").click()
    page.get_by_role("combobox", name="Profile").select_option("agent")
    page.get_by_label("Wall time, s").fill("30")
    page.locator("#code").fill(WAITS)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="Standard output")).to_have_text("so far\n")
    expect(page.get_by_role("region", name="Standard error")).to_have_text(shown(HOSTILE))


def test_output_grows_while_the_program_runs_and_stop_stops_it(console: Console) -> None:
    start_waiting_program(console)
    page = console.page
    expect(page.locator(".hero")).to_contain_text("Running")
    assert page.locator(".live").count() == 1  # it goes on
    assert console.accessibility_problems() == []
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".hero")).to_contain_text("Cancelled")
    expect(page.locator(".live")).to_have_count(0)
    expect(page.get_by_role("region", name="Standard output")).to_have_text("so far\n")
    assert console.accessibility_problems() == []


def test_a_run_that_goes_on_is_followed_and_stopped_from_the_list(console: Console, client: httpx.Client) -> None:
    body = {"language": "python", "code": WAITS, "profile": "agent", "limits": {"wall_time_secs": 30}}
    submission_id = client.post("/api/submit", json=body).json()["id"]
    page = console.open(f"runs/{submission_id}")
    expect(page.locator(".live").get_by_role("region", name="Standard output")).to_have_text("so far\n")
    assert console.accessibility_problems() == []
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".hero")).to_contain_text("Cancelled")


def test_a_hidden_tab_asks_for_no_output(console: Console, client: httpx.Client) -> None:
    body = {"language": "python", "code": WAITS, "profile": "agent", "limits": {"wall_time_secs": 30}}
    submission_id = client.post("/api/submit", json=body).json()["id"]
    asked: list[str] = []
    console.page.on("request", lambda request: asked.append(request.url))
    console.page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => window.isHidden ?? true})")
    page = console.open(f"runs/{submission_id}")
    page.locator(".live").wait_for(state="attached")
    page.wait_for_timeout(1200)
    assert [url for url in asked if "/output" in url] == []
    page.evaluate("window.isHidden = false")
    expect(page.locator(".live").get_by_role("region", name="Standard output")).to_have_text("so far\n")
    client.post(f"/api/result/{submission_id}/cancel")


def test_tab_indents_in_the_editor_and_leaves_it_after_escape(console: Console) -> None:
    page = console.open("run")
    code = page.locator("#code")
    code.fill("")
    code.focus()
    page.keyboard.press("Tab")
    page.keyboard.type("x")
    assert code.input_value() == "    x"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(code).not_to_be_focused()
    assert code.input_value() == "    x"
    code.focus()
    page.keyboard.press("Shift+Tab")
    expect(code).not_to_be_focused()


@pytest.mark.parametrize(
    ("code", "language", "title"),
    [
        ("while True: pass", "python", "Time limit exceeded"),
        ("int main( {", "c", "Compilation failed"),
        ("import os; os.kill(os.getpid(), 11)", "python", "Ended by a signal"),
    ],
)
def test_a_failure_is_explained_in_words(console: Console, code: str, language: str, title: str) -> None:
    page = console.open("run")
    page.locator(".options summary").click()
    page.get_by_label("CPU time, s").fill("0.3")
    run(console, code, language)
    expect(page.locator(".hero")).to_contain_text(title)
    has_run = title != "Compilation failed"
    expect(page.get_by_text("The program wrote nothing." if has_run else "The program did not run.")).to_be_visible()


def test_all_text_follows_the_font_size_of_the_reader(console: Console) -> None:
    page = console.open("run")
    page.evaluate("document.documentElement.style.fontSize = '32px'")
    sizes = page.locator("main, main *:visible").evaluate_all(
        "found => found.map(each => parseFloat(getComputedStyle(each).fontSize))"
    )
    assert min(sizes) > 20  # at 16 px, no text has less than 10 px


def test_hostile_output_is_shown_as_text(console: Console) -> None:
    page = console.open("run")
    run(console, f"import sys\nsys.stdout.write({HOSTILE!a})\nsys.stderr.write({HOSTILE!a})")
    for stream in ("Standard output", "Standard error"):
        assert page.get_by_role("region", name=stream).text_content() == shown(HOSTILE)
    found = page.locator("script, img, h1").evaluate_all(
        "(found) => found.map((each) => each.tagName + (each.src ?? '').split('/').at(-1))"
    )
    assert found == ["SCRIPTstart.js", "SCRIPTapp.js", "H1"]
    assert page.title() == "Run · Rustbox console"


def test_a_long_output_is_cut_until_the_reader_wants_it_all(console: Console) -> None:
    page = console.open("run")
    run(console, "print('x' * 99_999)")
    output = page.get_by_role("region", name="Standard output")
    assert len(output.text_content() or "") == 20_000
    page.get_by_role("button", name="Show the other").click()
    assert len(output.text_content() or "") == 100_000


def test_every_address_keeps_a_stage_prefix(console: Console) -> None:
    paths: list[str] = []
    console.page.on("request", lambda request: paths.append(urlsplit(request.url).path))
    console.page.route("**/prod/**", without_stage)
    console.url += "prod/"
    console.open("run")
    run(console, "print(1)")
    assert len(paths) >= 10
    assert [path for path in paths if not path.startswith("/prod/")] == []


def without_stage(route: Route) -> None:
    """Answer as API Gateway does at a stage's address."""
    route.fulfill(response=route.fetch(url=route.request.url.replace("/prod/", "/", 1)))


def test_refused_limits_are_shown_with_their_field(console: Console) -> None:
    page = console.open("run")
    page.locator(".options summary").click()
    page.get_by_label("Memory, MB").fill("999999")
    page.get_by_role("button", name="Run Ctrl Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("limits.memory_mb")


def test_the_quota_is_shown_once_it_is_scarce(browser: Browser, stack: LocalStack) -> None:
    key = stack.add_project("scarce", quotas={"judge": Quota(per_minute=1_000, per_day=6, in_flight=10)})
    with open_console(browser, stack, api_key=key) as console:
        page = console.open("run")
        for left in (5, 4, 3, 2):
            run(console, f"print({left})")
            expect(page.get_by_role("region", name="Standard output")).to_have_text(f"{left}\n")
            expect(page.get_by_text("of your quota")).to_have_count(0)
        run(console, "print('scarce')")
        expect(page.get_by_text("1 of 6 runs are left in this window of your quota.")).to_be_visible()


def test_hosts_are_sent_and_each_connection_is_shown(console: Console) -> None:
    asked: list[Any] = []
    evidence = golden("execution_completed/v1.network")["evidence"]
    evidence["refused"][0]["name"] = "<img/src=x>.example"

    def answer(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.fulfill(json=golden("webhook/v1.completed") | {"evidence": evidence})

    page = console.open("run")
    page.route("**/api/submit*", answer)
    page.locator(".options summary").click()
    page.get_by_label("Hosts that the program may reach").fill("api.example.com, *.example.org:8443")
    run(console, "print(42)")
    assert asked[0]["profile"] == "agent"
    assert asked[0]["network"] == {"allow": ["api.example.com", "*.example.org:8443"]}
    network = page.get_by_role("region", name="Network")
    expect(network).to_contain_text("api.example.com:443")
    expect(network).to_contain_text("3 connections")
    expect(network).to_contain_text(" sent, ")
    page.get_by_text("controls in force").click()
    expect(page.get_by_text("No network", exact=True)).to_have_count(0)
    expect(network).to_contain_text("connection refused")
    expect(network).to_contain_text("Refused: <img/src=x>.example")
    expect(network).to_contain_text("Refused: 169.254.169.254:80")
    assert page.locator(".result img").count() == 0
    assert console.accessibility_problems() == []
    assert not console.is_too_wide()


def test_copied_requests_run_as_they_are(console: Console) -> None:
    page = console.open("run")
    page.locator("#code").fill("print('it\\'s', input(), \"é\")")
    page.get_by_label("Standard input").fill("a 'line'\n")
    page.get_by_text("Copy as curl").click()
    texts = {}
    for form in ("curl", "Python", "TypeScript"):
        page.get_by_role("button", name=form, exact=True).click()
        texts[form] = page.get_by_role("region", name=f"Request as {form}").text_content() or ""
        assert API_KEY not in texts[form]
    environment = {"PATH": os.environ["PATH"], "RUSTBOX_API_KEY": API_KEY, "PYTHONUTF8": "1"}
    for command in (["bash", "-c", texts["curl"]], [sys.executable, "-c", texts["Python"]]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        answer = done.stdout
        assert (json.loads(answer)["stdout"] if command[0] == "bash" else answer) in {
            "it's a 'line' é\n",
            "AC it's a 'line' é\n\n",
        }


def test_the_error_for_a_stopped_service_names_a_way_out(console: Console) -> None:
    page = console.open("run")
    page.context.set_offline(True)
    page.get_by_role("button", name="Run Ctrl Enter").click()
    expect(page.get_by_role("alert")).to_contain_text("No answer from")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".hero")).to_contain_text("Accepted")


def test_an_error_marks_its_lines_and_leads_there(console: Console) -> None:
    page = console.open("run")
    marked = page.locator(".gutter .marked")
    for language, code, lines in (
        ("python", "def f():\n    return x\n\nf()\n", ["2", "4"]),
        ("c", "int main(void) {\n  int x = y;\n  return 0;\n}\n", ["2"]),
        ("javascript", "const a = 1;\n\n\nb();\n", ["4"]),
        ("python", f"import sys\nsys.stderr.write('solution.py:2: error: ' + {HOSTILE!a})\n", ["2"]),
    ):
        run(console, code, language)
        expect(marked).to_have_text(lines)
    expect(page.get_by_role("list", name="Lines that the error names")).to_contain_text("<script>alert(1)")
    assert page.locator(".marks script, .marks img").count() == 0
    assert console.accessibility_problems() == []
    page.get_by_role("button", name="line 2").click()
    selected = "[code.selectionStart, document.activeElement.id]"
    assert page.evaluate(selected) == [len("import sys\n"), "code"]
    page.keyboard.type("x")
    expect(marked).to_have_count(0)  # the lines may have moved


def test_control_and_space_complete_a_word_of_the_program_or_the_language(console: Console) -> None:
    page = console.open("run")
    editor = page.get_by_label("Program", exact=True).and_(page.locator("textarea"))
    said = page.locator(".completions")
    editor.fill("total = 1\ntotals = [total]\nt")
    page.keyboard.press("Control+Space")
    expect(editor).to_have_value("total = 1\ntotals = [total]\ntotal")
    expect(said).to_have_text("total, then totals, try")
    assert_sound(console)
    page.keyboard.press("Control+Space")
    page.keyboard.press("Control+Space")
    expect(editor).to_have_value("total = 1\ntotals = [total]\ntry")
    page.keyboard.press("Control+Space")
    expect(editor).to_have_value("total = 1\ntotals = [total]\nt")  # as it was typed
    page.keyboard.type("x")
    expect(said).to_be_empty()
    page.keyboard.press("Control+Space")
    expect(said).to_have_text("No word begins so.")
    page.keyboard.type(" = <b>x")
    page.keyboard.press("Control+z")
    expect(editor).not_to_be_empty()  # the browser's own undo


def test_the_editor_closes_brackets_and_indents_lines(console: Console) -> None:
    page = console.open("run")
    code = page.locator("#code")
    code.fill("")
    code.focus()
    page.keyboard.type("f(g(1))")
    assert code.input_value() == "f(g(1))"
    page.keyboard.press("Control+A")
    page.keyboard.type("f(")
    assert code.input_value() == "f()"
    page.keyboard.press("Backspace")
    assert code.input_value() == "f"
    page.keyboard.type(" {")
    page.keyboard.press("Enter")
    page.keyboard.type("x")
    assert code.input_value() == "f {\n    x\n}"
    page.keyboard.press("Control+A")
    page.keyboard.press("Tab")
    assert code.input_value() == "    f {\n        x\n    }"
    page.keyboard.press("Control+Z")
    assert code.input_value() == "f {\n    x\n}"


def test_a_phone_shows_the_result_under_the_program_and_no_keys(browser: Browser, stack: LocalStack) -> None:
    with open_console(browser, stack, screen=PHONE) as console:
        page = console.open("run")
        expect(page.get_by_role("heading", name="The verdict appears here")).to_be_hidden()
        expect(page.locator(".controls-row kbd").first).to_be_hidden()
        expect(page.locator(".options .inputs")).to_be_hidden()
        run(console, "print(1)")
        top = "document.querySelector('{}').getBoundingClientRect().top"
        order = [page.evaluate(top.format(part)) for part in (".editor", ".hero", ".rest .stdin", ".options")]
        assert order == sorted(order)
        expect(page.locator(".options summary")).to_have_text("Options: judge profile")
        page.locator(".options summary").click()
        page.get_by_role("combobox", name="Profile").select_option("agent")
        expect(page.get_by_text("up to 30 s unless you set less")).to_be_visible()
        page.get_by_label("Hosts that the program may reach").fill(HOSTILE[:60])
        expect(page.locator(".options summary")).to_contain_text(f"agent profile · network: {HOSTILE[:60]}")
        assert console.accessibility_problems() == []
        assert not console.is_too_wide()
