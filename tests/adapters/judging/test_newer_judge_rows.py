"""After a rollback: judge runs, runs, projects and deliveries that the next minor version wrote are read as before."""

from functions.projects.model import Project, Quota
from functions.projects.store import FoundKey, ProjectStore
from functions.webhooks.deliveries.model import DeliveryState
from tests.adapters.aws_account import API_KEY, Aws
from tests.adapters.http_calls import get
from tests.adapters.judging.judge_world import completed, judge, progress, requested, result
from tests.adapters.newer_rows import make_newer, without_new
from tests.adapters.pipeline import Pipeline

GROUPED = {
    "cases": [
        {"stdin": "1 2\n", "expected": "3\n", "id": "first", "group": "small", "points": 2, "visibility": "verdict"},
        {"stdin": "20 22\n", "expected": "42\n", "group": "large"},
    ],
    "groups": [{"id": "small"}, {"id": "large", "points": 5, "requires": ["small"], "aggregate": "min"}],
}


def test_a_judge_run_goes_on_and_is_shown(aws: Aws, project_key: str, pipeline: Pipeline) -> None:
    accepted = judge(project_key, GROUPED)
    path = f"/api/judge/{accepted.json['id']}"
    asked = requested(aws)
    assert pipeline.record(progress(accepted.json["id"], asked.execution_id, result(0))) == []
    waiting = get(project_key, path).json
    make_newer(aws)
    assert without_new(get(project_key, path).json) == waiting

    assert pipeline.record(completed(accepted.json["id"], execution_id=asked.execution_id)) == []
    final = without_new(get(project_key, path).json)
    assert (final["status"], final["passed"], len(final["groups"])) == ("completed", 1, 2)
    make_newer(aws)
    assert without_new(get(project_key, path).json) == final


def test_a_run_ends_and_its_webhook_is_sent(aws: Aws, pipeline: Pipeline) -> None:
    endpoint = pipeline.endpoint()
    submission = pipeline.submit()
    make_newer(aws)
    pipeline.finish(submission)
    make_newer(aws)
    assert pipeline.webhook(*pipeline.hints()) == []
    assert pipeline.state(submission) == pipeline.state(submission, endpoint.endpoint_id) == DeliveryState.DELIVERED
    pipeline.verify_received()


def test_projects_with_unknown_quotas_are_read(aws: Aws) -> None:
    store = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb"))
    store.create_project(Project("project", "Name", quotas={"judge": Quota(10, 100, 5)}))
    key = store.issue_key("project", api_key=API_KEY)
    make_newer(aws)
    found = ProjectStore(aws.names["ProjectsTable"], aws.client("dynamodb")).find_key(key)
    assert isinstance(found, FoundKey)
    assert found.project.quotas == {"judge": Quota(10, 100, 5)}
