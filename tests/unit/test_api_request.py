import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.limits import raised_ceilings
from events.vocabulary import Language
from functions.errors import BadRequestError, InvalidFieldsError, ServiceError
from functions.submissions.accept.requests import ValidSubmission, parse_submission
from functions.webhooks.webhook_url import AddressRules
from tests.choice import examples

MINIMAL = {"language": "python", "code": "print(42)"}


def parse(body: Any, offered: tuple[Language, ...] = tuple(Language)) -> ValidSubmission:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_submission(raw, offered=offered)


def refused_fields(body: Any) -> dict[str, str]:
    with pytest.raises(InvalidFieldsError) as caught:
        parse(body)
    return {problem.field: problem.message for problem in caught.value.fields}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"language":"python","code":"x"}',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"x":' + b"9" * 5_000 + b"}",
        b'{"language":"python","code":NaN}',
        b'{"language":"python","code":"x","unknown":-Infinity}',
        b'{"language":"python","language":"c","code":"x"}',
        b'{"language":"python","code":"x","limits":{"memory_mb":1,"memory_mb":2}}',
    ],
    ids=str,
)
def test_lenient_json_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse(raw)


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
def test_json_that_is_no_object_is_invalid(body: Any) -> None:
    assert list(refused_fields(body)) == ["body"]


def test_every_missing_and_mistyped_field_is_named() -> None:
    fields = refused_fields({"code": 5, "stdin": ["x"], "metadata": "x", "limits": [], "profile": "boss"})
    assert set(fields) == {"language", "code", "stdin", "metadata", "limits", "profile"}


@pytest.mark.parametrize("name", ["language", "code", "stdin", "webhook_url", "webhook_secret"])
def test_half_a_surrogate_pair_is_invalid_and_named(name: str) -> None:
    body = {**MINIMAL, name: "\ud800"}
    assert name in refused_fields(body)


def test_half_a_surrogate_pair_as_a_name_can_be_answered() -> None:
    for field, value in (("metadata", "x"), ("limits", 1)):
        for name in refused_fields({**MINIMAL, field: {"\ud800": value}}):
            assert name.encode().startswith(field.encode())


def test_half_a_surrogate_pair_in_metadata_is_invalid() -> None:
    assert list(refused_fields({**MINIMAL, "metadata": {"a": "\udfff"}})) == ["metadata.a"]


def test_an_unknown_name_in_limits_is_refused_and_cut_short() -> None:
    assert "limits.memory" in refused_fields({**MINIMAL, "limits": {"memory": 64}})
    (name,) = refused_fields({**MINIMAL, "limits": {"x" * 5_000: 1}})
    assert len(name) < 100


def test_unknown_fields_are_ignored_and_named() -> None:
    seen = parse({**MINIMAL, "colour": "\ud800"})
    assert (seen, seen.body_sha256) == (parse(MINIMAL), parse(MINIMAL).body_sha256)
    assert seen.warnings == ("The field colour is unknown and was ignored.",)
    assert parse(MINIMAL).warnings == ()


def test_the_warnings_are_bounded() -> None:
    warnings = parse({**MINIMAL, **{"z" * 500 + str(number): 1 for number in range(5_000)}}).warnings
    assert len(warnings) == 20
    assert max(map(len, warnings)) < 120
    assert parse({**MINIMAL, "\ud800": 1}).warnings == ("The field ? is unknown and was ignored.",)


@pytest.mark.parametrize(
    "many",
    [
        {f"unknown_{number}": "," for number in range(20_001)},
        {"metadata": {str(number): "\\" for number in range(20_001)}},
        {"limits": {str(number): 1 for number in range(20_001)}},
        {"unknown": [1] * 20_001},
        {"unknown": [{"a": '"'}] * 20_001},
        {"unknown": [""] * 20_001},
    ],
    ids=["names of the body", "an object of text", "names of a model", "numbers", "small objects", "texts"],
)
def test_a_body_with_too_many_values_is_refused_before_it_is_parsed(many: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match="more than 20,000 values"):
        parse({**MINIMAL, **many})


@pytest.mark.parametrize("text", [",\n" * 20_001, '\\",' * 20_001, '",' * 20_001, "," * 20_001 + "\\"])
def test_commas_of_a_text_are_no_values(text: str) -> None:
    assert parse({**MINIMAL, "stdin": text}).program.stdin == text.encode()


@pytest.mark.parametrize("end", [b'"', b'"\\', b'"\\"'])
def test_commas_of_a_text_that_does_not_end_are_no_values(end: bytes) -> None:
    with pytest.raises(BadRequestError, match="not valid JSON"):
        parse(b'{"code":' + end + b"," * 20_001)


def test_a_body_with_the_most_values_is_taken() -> None:
    more = {str(number): 1 for number in range(20_000 - len(MINIMAL))}
    assert parse({**MINIMAL, **more}).body_sha256 == parse(MINIMAL).body_sha256


def test_an_answer_names_at_most_20_problems() -> None:
    assert len(refused_fields({**MINIMAL, "codee": 1, "limits": {str(number): 1 for number in range(100)}})) == 20


@pytest.mark.parametrize(
    ("name", "meant"),
    [("stdinn", "stdin"), ("std_in", "stdin"), ("Code", "code"), ("langauge", "language"), ("limit", "limits")],
)
def test_a_field_that_looks_misspelt_is_refused_with_a_suggestion(name: str, meant: str) -> None:
    assert refused_fields({**MINIMAL, name: "1"})[name] == f"There is no such field. Did you mean {meant}?"


@pytest.mark.parametrize(("name", "named"), [("source_code", "code"), ("language_id", "language")])
def test_a_field_of_another_service_is_refused_with_the_name_it_has_here(name: str, named: str) -> None:
    body = {key: value for key, value in MINIMAL.items() if key != named} | {name: "1"}
    fields = refused_fields(body)
    assert fields.keys() == {name, named}
    assert f" {named}" in fields[name]


@pytest.mark.parametrize(("name", "instead"), [("packages", "files"), ("memory_limit", "memory_mb")])
def test_a_field_of_another_service_that_is_ignored_says_what_there_is_instead(name: str, instead: str) -> None:
    (warning,) = parse({**MINIMAL, name: "1"}).warnings
    assert warning.startswith(f"The field {name} is unknown and was ignored. ")
    assert instead in warning


def test_a_misspelt_field_is_named_beside_the_one_that_is_missing() -> None:
    fields = refused_fields({"language": "python", "codee": "print(42)"})
    assert fields == {"codee": "There is no such field. Did you mean code?", "code": "This field is required."}


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"language": "python",\n "code": print}', "line 2, column 10 (character 33)"),
        (b"{", "line 1, column 2 (character 2)"),
        (b'{"code": "\xff"}', "byte 11"),
    ],
)
def test_the_error_for_broken_json_names_its_position(raw: bytes, place: str) -> None:
    with pytest.raises(BadRequestError, match=re.escape(place)):
        parse(raw)


def test_null_stands_for_the_default_of_an_optional_field() -> None:
    nothing = dict.fromkeys(("stdin", "profile", "limits", "webhook_url", "webhook_secret", "metadata"))
    assert parse({**MINIMAL, **nothing}) == parse(MINIMAL)


def test_empty_code_is_invalid() -> None:
    assert list(refused_fields({"language": "python", "code": ""})) == ["code"]


@pytest.mark.parametrize(("name", "limit"), [("code", 65_536), ("stdin", 262_144)])
def test_sizes_count_bytes_and_name_their_limit(name: str, limit: int) -> None:
    parse({**MINIMAL, name: "x" * limit})
    with pytest.raises(BadRequestError, match=f"{name} .*{limit:,}"):
        parse({**MINIMAL, name: "é" * (limit // 2) + "x"})


def test_nul_characters_are_code_like_any_other() -> None:
    assert parse({**MINIMAL, "code": "\0"}).program.code == b"\0"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("PY", "python"),
        ("c++", "cpp"),
        ("Cxx", "cpp"),
        ("CC", "cpp"),
        ("js", "javascript"),
        ("TS", "typescript"),
        ("sh", "bash"),
    ],
)
def test_aliases_in_any_case_become_the_canonical_name(name: str, canonical: str) -> None:
    assert parse({"language": name, "code": "x"}).program.language == canonical


@pytest.mark.parametrize("name", ["brainfuck", "", "rust", "rs", "\N{LATIN SMALL LIGATURE FI}"])
def test_a_language_that_is_not_offered_is_refused_with_those_that_are(name: str) -> None:
    with pytest.raises(BadRequestError, match="python, c"):
        parse({"language": name, "code": "x"}, offered=(Language.PYTHON, Language.C))


@pytest.mark.parametrize("value", [0, -1, 0.0, 15.01, 1e309, -1e309, float("nan"), 10**400, -(10**400)])
def test_a_limit_out_of_range_names_the_field_and_its_ceiling(value: float) -> None:
    message = refused_fields({**MINIMAL, "limits": {"cpu_time_secs": value}})["limits.cpu_time_secs"]
    assert "15" in message


@pytest.mark.parametrize("value", [True, "1", [1], {}])
def test_a_limit_that_is_no_number_is_refused(value: Any) -> None:
    assert "limits.memory_mb" in refused_fields({**MINIMAL, "limits": {"memory_mb": value}})


def test_whole_limits_refuse_fractions_and_take_whole_floats() -> None:
    for name in ("memory_mb", "file_size_mb", "open_files", "stack_mb"):
        assert f"limits.{name}" in refused_fields({**MINIMAL, "limits": {name: 64.5}})
    limits = parse(
        {**MINIMAL, "limits": {"memory_mb": 64.0, "cpu_time_secs": 2.0, "wall_time_secs": 2.5}}
    ).program.limits
    assert json.dumps(limits) == '{"cpu_time_secs": 2, "wall_time_secs": 2.5, "memory_mb": 64}'


@pytest.mark.parametrize(
    ("profile", "language", "limits"),
    [
        ("judge", "python", {"wall_time_secs": 25, "max_processes": 10}),
        ("judge", "c", {"max_processes": 8, "memory_mb": 1024, "output_kb": 1024}),
        ("agent", "java", {"wall_time_secs": 30, "max_processes": 512}),
        ("judge", "go", {"file_size_mb": 100, "open_files": 1024}),
        ("agent", "go", {"file_size_mb": 100, "open_files": 1024}),
    ],
)
def test_ceilings_are_those_of_profile_and_language(profile: str, language: str, limits: dict[str, int]) -> None:
    body = {"language": language, "code": "x", "profile": profile}
    assert parse({**body, "limits": limits}).program.limits == limits
    over = {name: value + 1 for name, value in limits.items()}
    assert set(refused_fields({**body, "limits": over})) == {f"limits.{name}" for name in limits}


RAISED = (
    *("judge.output_kb=8192", "judge.memory_mb=4096", "judge.cpu_time_secs=60", "agent.wall_time_secs=120"),
    "judge.max_processes=64",
)


@pytest.mark.parametrize(
    ("profile", "language", "limits", "accepted"),
    [
        ("judge", "c", {"memory_mb": 4096, "cpu_time_secs": 60, "max_processes": 64}, True),
        ("judge", "java", {"max_processes": 1024}, True),  # never below the standard ceiling
        ("judge", "c", {"wall_time_secs": 26}, False),
        ("agent", "c", {"wall_time_secs": 120}, True),
        ("agent", "c", {"memory_mb": 1025}, False),
        ("judge", "c", {"memory_mb": 4097}, False),
        ("judge", "c", {"output_kb": 8192}, True),
        ("judge", "c", {"output_kb": 8193}, False),
        ("agent", "c", {"output_kb": 1025}, False),
    ],
)
def test_the_operator_may_raise_ceilings(profile: str, language: str, limits: dict[str, int], accepted: bool) -> None:  # noqa: FBT001 - a case
    body = json.dumps({**MINIMAL, "profile": profile, "language": language, "limits": limits}).encode()
    raised = raised_ceilings(RAISED)
    if accepted:
        assert parse_submission(body, offered=Language, raised=raised).program.limits == limits
    else:
        with pytest.raises(InvalidFieldsError):
            parse_submission(body, offered=Language, raised=raised)


@pytest.mark.parametrize(
    "entry",
    [
        *("memory_mb=4096", "judge.memory_mb", "judge.memory_mb=", "judge.memory_mb=4097", "judge.memory_mb=-1"),
        *("other.memory_mb=1", "judge.output_kb=8193", "judge.file_size_mb=200", "judge.memory_mb=1.5"),
        *("judge.memory_mb=٣", "judge.x=1"),
    ],
)
def test_a_wrong_ceiling_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="must"):
        raised_ceilings(["judge.cpu_time_secs=20", entry])


def test_a_program_may_not_have_so_few_open_files_that_it_cannot_start() -> None:
    assert "from 16 up to 1024" in refused_fields({**MINIMAL, "limits": {"open_files": 15}})["limits.open_files"]


def test_wall_budget_is_the_limit_or_the_languages_default() -> None:
    assert parse(MINIMAL).wall_budget_secs == 7
    assert parse({**MINIMAL, "limits": {"wall_time_secs": 2.1}}).wall_budget_secs == 3
    assert parse({**MINIMAL, "profile": "agent"}).wall_budget_secs == 30


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"webhook_url": "https://hooks.example.com/x"}, {"webhook_secret"}),
        ({"webhook_secret": "raw"}, {"webhook_url"}),
        ({"webhook_url": "http://hooks.example.com/x", "webhook_secret": "raw"}, {"webhook_url"}),
        ({"webhook_url": "https://127.0.0.1/x", "webhook_secret": "raw"}, {"webhook_url"}),
        ({"webhook_url": "https://hooks.example.com/x", "webhook_secret": "whsec_%"}, {"webhook_secret"}),
        ({"webhook_url": "https://hooks.example.com/x", "webhook_secret": ""}, {"webhook_secret"}),
    ],
)
def test_webhook_fields_come_together_and_are_checked(changes: dict[str, str], fields: set[str]) -> None:
    assert set(refused_fields({**MINIMAL, **changes})) == fields


def test_a_local_stage_may_name_this_machine() -> None:
    body = json.dumps({**MINIMAL, "webhook_url": "http://127.0.0.1:9000/x", "webhook_secret": "raw"}).encode()
    assert (
        parse_submission(body, offered=Language, rules=AddressRules(allow_insecure=True)).webhook_url
        == "http://127.0.0.1:9000/x"
    )


@pytest.mark.parametrize(
    "metadata",
    [{str(number): "x" for number in range(17)}, {"name": "x" * 2_045}, {"": "x"}, {"a": None}, {"a": 1}, ["a"]],
    ids=["keys", "bytes", "empty name", "null", "number", "list"],
)
def test_metadata_over_its_bounds_is_invalid(metadata: Any) -> None:
    assert all(name.startswith("metadata") for name in refused_fields({**MINIMAL, "metadata": metadata}))


def test_metadata_at_its_bounds_is_taken() -> None:
    metadata = {f"{number:02}": "x" * 126 for number in range(16)}
    assert parse({**MINIMAL, "metadata": metadata}).metadata == metadata


def test_the_digest_is_of_the_meaning_and_not_of_the_bytes() -> None:
    same = {"code": "print(42)", "language": "PY", "stdin": "", "profile": "judge", "limits": {}, "other": 1}
    assert parse(same).body_sha256 == parse(MINIMAL).body_sha256
    spelled = parse({**MINIMAL, "limits": {"cpu_time_secs": 2.0}})
    assert spelled.body_sha256 == parse({**MINIMAL, "limits": {"cpu_time_secs": 2}}).body_sha256


@pytest.mark.parametrize(
    "changes",
    [
        {"language": "c"},
        {"code": "print(43)"},
        {"stdin": "x"},
        {"profile": "agent"},
        {"limits": {"cpu_time_secs": 1}},
        {"metadata": {"a": "b"}},
        {"webhook_url": "https://hooks.example.com/x", "webhook_secret": "raw"},
    ],
)
def test_every_field_changes_the_digest(changes: dict[str, Any]) -> None:
    assert parse({**MINIMAL, **changes}).body_sha256 != parse(MINIMAL).body_sha256


def test_neither_code_nor_secret_shows_in_a_repr() -> None:
    body = {**MINIMAL, "webhook_url": "https://hooks.example.com/x", "webhook_secret": "hidden-secret"}
    shown = repr(parse(body))
    assert "print(42)" not in shown
    assert "hidden-secret" not in shown


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["language", "code", "stdin", "profile", "limits", "webhook_url", "webhook_secret", "metadata", "other"]
)


def outcome(raw: bytes) -> int:
    try:
        parse(raw)
    except ServiceError as error:
        json.dumps([error.message, [problem.message for problem in error.fields]]).encode()
        return error.status
    return 200


@settings(max_examples=examples(300), deadline=None)
@given(
    st.dictionaries(FIELDS, JSON_VALUES).map(lambda changes: MINIMAL | changes) | JSON_VALUES, st.binary(max_size=40)
)
def test_any_bytes_are_taken_or_refused_as_the_callers_fault(body: Any, noise: bytes) -> None:
    assert {outcome(json.dumps(body).encode()), outcome(noise)} <= {200, 400, 422}


@pytest.mark.parametrize(
    ("body", "digest"),
    [
        ({"code": "print(1)"}, "82a4ffb7b7c16c598a902dff8865d581fcd2af346e14593bd52406b63831ef82"),
        (
            {"code": "print(1)", "artifacts": "changed"},
            "f6f6a6544cf339cb6d724d754305bda72638145f83bd50038a8717a7cfb93afb",
        ),
        (
            {
                "language": "c++",
                "code": "int main(){}",
                "profile": "agent",
                "stdin": "7ü",
                "limits": {"cpu_time_secs": 1.5, "memory_mb": 64.0},
                "webhook_url": "https://hooks.example.com/x",
                "webhook_secret": "raw",
                "metadata": {"a": "b"},
                "files": [
                    {"path": "b.txt", "content": "x"},
                    {
                        "path": "a.txt",
                        "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                        "read_only": True,
                    },
                ],
                "compile_args": ["-O2"],
                "args": ["x", ""],
                "network": {"allow": ["example.com", "api.example.org:8443"]},
                "artifacts": ["out/*.png", "r.csv"],
                "keep_code": True,
            },
            "581ccd1887ad15618e97f204d91c59619172ada72bfd63430224596346c007e4",
        ),
    ],
)
def test_digests_of_bodies_are_those_of_version_0_1(body: dict[str, Any], digest: str) -> None:
    """A claim of an Idempotency-Key that was written before an update is found after it."""
    assert parse({"language": "python", **body}).body_sha256 == digest


@pytest.mark.parametrize(
    ("limits", "named"),
    [({"memory_mb": 2048}, True), ({"memory_mb": 4097}, False), ({"memory_mb": 0}, False), ({"stack_mb": 2000}, False)],
)
def test_a_limit_that_the_operator_can_allow_names_the_parameter(limits: dict[str, int], named: bool) -> None:  # noqa: FBT001 - a case
    (message,) = refused_fields({**MINIMAL, "limits": limits}).values()
    assert ("LimitCeilings" in message) == named
