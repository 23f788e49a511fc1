"""Every problem of a body is told in a sentence of ours, whatever a client sends."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from functions.checks.settings.check_settings import CheckSettings
from functions.checks.settings.requests import RunNowRequest
from functions.errors import ServiceError
from functions.http.validation import checked, parse_body
from functions.projects import bodies as projects
from functions.submissions.accept.requests import SubmitRequest
from functions.webhooks.endpoints.requests import ChangeEndpointRequest, CreateEndpointRequest
from tests.choice import examples

MODELS: list[type[BaseModel]] = [
    *(SubmitRequest, CheckSettings, RunNowRequest, CreateEndpointRequest, ChangeEndpointRequest),
    *(
        found
        for found in vars(projects).values()
        if isinstance(found, type) and issubclass(found, BaseModel) and found.__module__ == projects.__name__
    ),
]
PYDANTICS_WORDS = ("Input should", "Value error", "valid dictionary", "Extra inputs", "Field required", "instance of")
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def sentences(model: type[BaseModel], body: dict[str, Any]) -> list[str]:
    try:
        parse_body(model, json.dumps(body).encode())
    except ServiceError as error:
        return [problem.message for problem in error.fields] or [error.message]
    return []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(max_examples=examples(100), deadline=None)
@given(data=st.data())
def test_no_problem_uses_the_wording_of_the_library(model: type[BaseModel], data: st.DataObject) -> None:
    names = st.sampled_from(sorted(model.model_fields))
    body = data.draw(st.dictionaries(names, JUNK, max_size=6))
    for sentence in sentences(model, body):
        assert not any(words in sentence for words in PYDANTICS_WORDS), sentence
        assert sentence[0].isupper() or sentence.startswith("type must"), sentence
        assert sentence.endswith("."), sentence


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"name": ""}, "name", "Must not be empty."),
        ({"name": "x" * 101}, "name", "Must have at most 100 characters."),
        ({"tags": ["x"] * 21}, "tags", "Must have at most 20 items."),
        ({"name": "a\nb"}, "name", "The text must be printable, on one line, and not blank."),
        ({"slug": "A b"}, "slug", "Must match ^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$."),
        ({"retries": 9}, "retries", "Must be at most 3."),
        ({"profile": "boss"}, "profile", "Must be one of judge or agent."),
        ({"should_fail": "yes"}, "should_fail", "Must be true or false."),
        ({"tags": "x"}, "tags", "Must be an array."),
        ({"env": 1}, "env", "Must be an object."),
    ],
)
def test_a_wrong_field_gets_a_sentence_about_the_accepted_values(
    changes: dict[str, Any], field: str, sentence: str
) -> None:
    body = {"name": "x", "language": "python", "code": "1", **changes}
    with pytest.raises(ServiceError) as caught:
        checked(CheckSettings, body)
    assert {problem.field: problem.message for problem in caught.value.fields} == {field: sentence}
