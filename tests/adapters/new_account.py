"""Make the template's account in whatever answers botocore's calls."""

import pkgutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from functions import handlers
from functions.aws import clients
from functions.env import Env
from functions.submissions.results import overview
from tests.adapters.aws_account import ADMIN_KEY_PARAMETER, Aws, create_all, load_template

_HANDLERS = [each.name for each in pkgutil.iter_modules(handlers.__path__, f"{handlers.__name__}.")]


@contextmanager
def new_account(monkeypatch: pytest.MonkeyPatch, make_resources: Callable[[Aws], None] = create_all) -> Iterator[Aws]:
    """Make the template's resources in whatever answers botocore's calls."""
    set_credentials(monkeypatch)
    monkeypatch.setattr(overview, "_in_thread", lambda *_: None)  # no timer outlives its account
    template = load_template()
    parameters = {name: str(entry.get("Default", "")) for name, entry in template["Parameters"].items()}
    forget()
    account = Aws(template, {}, monkeypatch, parameters)
    make_resources(account)
    resources = template["Resources"].items()
    account.environment(*(name for name, resource in resources if resource["Type"] == "AWS::Serverless::Function"))
    yield account
    forget()


def set_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "POWERTOOLS_METRICS_NAMESPACE": "Rustbox",
    }.items():
        monkeypatch.setenv(name, text)
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def forget() -> None:
    """Drop what entry points keep between calls. Clients stay: hooks answer them in every test."""
    clients._secrets.drop(ADMIN_KEY_PARAMETER)
    for name in _HANDLERS:
        env = getattr(sys.modules.get(name), "ENV", None)
        if isinstance(env, Env):
            env.forget()
