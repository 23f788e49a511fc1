"""Routes that read or delete results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.http import parameters
from functions.http.answers import answer, page_answer
from functions.http.cursor import start_after
from functions.projects.authentication import authenticate
from functions.submissions.results.artifacts import artifact_answer
from functions.submissions.results.item_views import summary_body
from functions.submissions.results.list_store import list_position
from functions.submissions.results.output_views import output_part
from functions.submissions.results.parameters import (
    list_filters,
    list_kind,
    output_offset,
    output_stream,
    result_shape,
)
from functions.submissions.results.views import cancelling_body, deleted_body

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.resolver import Resolver
    from functions.submissions.deployment import SubmissionDeployment
    from functions.submissions.model import Submission


@dataclass(frozen=True, slots=True)
class ResultRoutes:
    """The routes. All raise ServiceError."""

    deployment: SubmissionDeployment

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Answer with one result; with `wait`, hold the request until it is final."""
        deployment, query = self.deployment, app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, deployment.projects).project_id
        secs, shape = parameters.wait_secs(query, parameters.LONG_POLL_MAX_SECS), result_shape(query)
        row = deployment.results.get(parameters.uuid(id_text), project_id)
        secs = min(secs, deployment.settings.longest_wait_secs)
        row = deployment.results.wait(row, secs, deployment.long_poll.within(app.secs_left))
        return deployment.results.show(row, app.prefix, shape)

    def stdout(self, app: Resolver, id_text: str) -> Response[Any]:
        """Answer with the bytes of stdout, or a link to them."""
        return self.deployment.results.raw(self._own(app, id_text), "stdout", self.deployment.settings)

    def stderr(self, app: Resolver, id_text: str) -> Response[Any]:
        """Answer with the bytes of stderr, or a link to them."""
        return self.deployment.results.raw(self._own(app, id_text), "stderr", self.deployment.settings)

    def output(self, app: Resolver, id_text: str) -> Response[str]:
        """Answer with a part of the output, also while the run goes on; with `wait`, hold the request for it."""
        deployment, query = self.deployment, app.current_event.query_string_parameters
        row = self._own(app, id_text)
        stream, after, shape = output_stream(query), output_offset(query), result_shape(query)
        secs = parameters.wait_secs(query, parameters.LONG_POLL_MAX_SECS)
        secs = min(secs, deployment.settings.longest_wait_secs)
        part = deployment.live_output.read(row, stream, after, secs, deployment.long_poll.within(app.secs_left))
        return answer(output_part(part.row, stream, after, part.content, is_end=part.is_end, encoding=shape.encoding))

    def program(self, app: Resolver, id_text: str) -> Response[str]:
        """Answer with the kept program."""
        return self.deployment.results.program(self._own(app, id_text))

    def cancel(self, app: Resolver, id_text: str) -> Response[str]:
        """Stop one submission; answer with its result if it is final."""
        shape = result_shape(app.current_event.query_string_parameters)
        row = self.deployment.cancellation.cancel(self._own(app, id_text))
        if row.is_final:
            return self.deployment.results.show(row, app.prefix, shape)
        return answer(cancelling_body(row), 202)

    def artifact(self, app: Resolver, id_text: str, path: str) -> Response[str]:
        """Answer with a link to an artifact, or with its bytes."""
        deployment = self.deployment
        return artifact_answer(deployment.settings, deployment.clock(), self._own(app, id_text), path)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        """Stop one submission, and delete it with all its data."""
        deployment, row = self.deployment, self._own(app, id_text)
        deployment.cancellation.delete(row, deployment.deletion, deployment.long_poll.within(app.secs_left))
        return answer(deleted_body(row))

    def page(self, app: Resolver) -> Response[str]:
        """List the project's submissions, newest first."""
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        limit, filters = parameters.page_limit(query), list_filters(query)
        after, kind = start_after(query, project_id), list_kind(query)
        page = self.deployment.submission_list.page(project_id, limit=limit, after=after, filters=filters, kind=kind)
        return page_answer(project_id, page, summary_body, list_position)

    def _own(self, app: Resolver, id_text: str) -> Submission:
        project_id = authenticate(app.current_event, self.deployment.projects).project_id
        return self.deployment.results.get(parameters.uuid(id_text), project_id)
