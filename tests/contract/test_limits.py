"""The limits that `submit` accepts are those that a runner grants: both sides have the table."""

import pytest

from events.limits import HIGHEST_CEILINGS, ceilings, default_wall_secs, raised_ceilings
from events.vocabulary import Language, Profile
from sandbox_runtime.languages import LANGUAGES

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
