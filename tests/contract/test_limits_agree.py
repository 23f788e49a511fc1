"""The limits that `submit` accepts are those that a runner grants: both sides keep the table, deployed apart."""

import pytest

from functions.messages.languages import (
    HIGHEST_CEILINGS,
    LEAST_OPEN_FILES,
    Language,
    Profile,
    ceilings,
    default_wall_secs,
    raised_ceilings,
)
from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.languages.requested import limits as limits_of_runner

RUNNER = {language.name: language for language in LANGUAGES}
CASES = [(language, profile) for language in Language for profile in Profile if language.value in RUNNER]


def test_the_runner_knows_no_language_that_the_api_does_not() -> None:
    assert RUNNER.keys() <= {language.value for language in Language}


@pytest.mark.parametrize(("language", "profile"), CASES)
def test_the_ceiling_is_granted_and_the_default_is_the_same(language: Language, profile: Profile) -> None:
    highest = [f"{place.value}.{name}={value}" for place in Profile for name, value in HIGHEST_CEILINGS.items()]
    asked = ceilings(language, profile, raised_ceilings(highest))
    granted = RUNNER[language.value].run_limits(
        profile.value,
        cpu_time_secs=asked.cpu_time_secs,
        wall_time_secs=asked.wall_time_secs,
        memory_mb=asked.memory_mb,
        max_processes=asked.max_processes,
        output_kb=asked.output_kb,
        file_size_mb=asked.file_size_mb,
        open_files=asked.open_files,
        stack_mb=asked.stack_mb,
    )
    assert granted == RUNNER[language.value].profiles[profile.value].ceiling
    assert RUNNER[language.value].run_limits(profile.value).wall_time_secs == default_wall_secs(language, profile)


def test_both_sides_have_the_same_least_number_of_open_files() -> None:
    assert limits_of_runner.LEAST_OPEN_FILES == LEAST_OPEN_FILES
