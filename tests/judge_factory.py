"""Judge runs for tests: rows before and after the golden messages of `events/judge_completed`."""

import json
from types import SimpleNamespace
from typing import Any

from events.judged import JudgeCompleted
from functions.aws.payloads import Payloads
from functions.env import Env
from functions.judging.model import Plan, PlannedCase, PlannedGroup, Visibility
from functions.judging.runs import JudgedRuns, ProgressStore
from functions.submissions.model import Submission
from functions.submissions.store import with_completion
from tests.submission_factory import golden, new_submission

BASE_URL = "https://api.example.com"


class _Unused:
    """Payloads and progress of tests that need neither."""


def judged_runs() -> JudgedRuns:
    """Judge runs whose results lie in their rows."""
    nothing: Any = _Unused()
    payloads: Payloads = nothing
    progress: ProgressStore = nothing
    env = Env("test", ())
    env.__dict__["settings"] = SimpleNamespace(public_base_url=BASE_URL, compress_cases=True)
    env._parts |= {Payloads: payloads, ProgressStore: progress}
    return JudgedRuns(env)


def completed(name: str, **changes: Any) -> JudgeCompleted:
    """A golden message of a runner."""
    return JudgeCompleted.parse(json.dumps(golden(f"judge_completed/v1.{name}") | changes))


def plan_for(message: JudgeCompleted, **changes: Any) -> Plan:
    """A plan that fits the message: cases of ten points, the first two in a group."""
    count = len(message.cases or ()) or 3
    cases = [PlannedCase(id=f"case-{index}", points=10) for index in range(count)]
    grouped = [PlannedCase(case.id, "small", case.points) for case in cases[:2]] + cases[2:]
    return Plan(**{"cases": tuple(grouped), "groups": (PlannedGroup("small", 30),), **changes})


def with_visibility(plan: Plan, *visibilities: Visibility) -> Plan:
    """The plan with these visibilities of its first cases."""
    rest = plan.cases[len(visibilities) :]
    changed = (
        PlannedCase(case.id, case.group, case.points, visibility)
        for case, visibility in zip(plan.cases, visibilities, strict=False)
    )
    return Plan((*changed, *rest), plan.groups)


def judge_row(plan: Plan, **changes: Any) -> Submission:
    """A pending judge run of project `dev`."""
    values = {
        "language": "cpp",
        "plan": json.loads(json.dumps(plan.to_json())),
        "summary": {"kind": "judge", "cases": len(plan.cases)},
        "metadata": {"build": "1042"},
    }
    return new_submission(**values | changes)


def final_row(message: JudgeCompleted, plan: Plan | None = None, **changes: Any) -> Submission:
    """The judge run after the message."""
    row = judge_row(plan or plan_for(message), **changes)
    return with_completion(row, judged_runs().completion(message, row))
