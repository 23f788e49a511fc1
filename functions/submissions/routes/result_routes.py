"""Routes that read or delete results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.http import parameters
from functions.http.answers import answer, page_answer
from functions.http.cursor import start_after
from functions.projects.authentication import authenticate
from functions.submissions.results.list_store import list_position
from functions.submissions.results.parameters import list_filters, list_kind, result_shape
from functions.submissions.results.views import summary_body

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler import Response

    from functions.http.long_poll import LongPoll
    from functions.http.resolver import Resolver
    from functions.projects.store import ProjectStore
    from functions.submissions.model import Submission
    from functions.submissions.results.delete import Deletion
    from functions.submissions.results.list_store import SubmissionList
    from functions.submissions.results.output import Stream
    from functions.submissions.results.results import Results


@dataclass(frozen=True, slots=True)
class ResultRoutes:
    """The routes and the parts that they use. All routes raise ServiceError."""

    projects: ProjectStore
    results: Results
    listing: SubmissionList
    deletion: Deletion
    long_poll: LongPoll
    longest_wait_secs: float

    def one(self, app: Resolver, id_text: str) -> Response[str]:
        """Answer with one result; with `wait`, hold the request until it is final."""
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.projects).project_id
        secs, shape = parameters.wait_secs(query, parameters.LONG_POLL_MAX_SECS), result_shape(query)
        row = self.results.get(parameters.uuid(id_text), project_id)
        row = self.results.wait(row, min(secs, self.longest_wait_secs), self.long_poll.within(app.secs_left))
        return self.results.show(row, app.prefix, shape)

    def raw(self, app: Resolver, id_text: str, stream: Stream) -> Response[bytes]:
        """Answer with the bytes of one stream."""
        return self.results.raw(self._own(app, id_text), stream)

    def delete(self, app: Resolver, id_text: str) -> Response[str]:
        """Delete one submission with all its data."""
        row = self._own(app, id_text)
        self.deletion.delete(row)
        return answer({"id": row.submission_id, "deleted": True})

    def page(self, app: Resolver) -> Response[str]:
        """List the project's submissions, newest first."""
        query = app.current_event.query_string_parameters
        project_id = authenticate(app.current_event, self.projects).project_id
        limit, filters = parameters.page_limit(query), list_filters(query)
        after = start_after(query, project_id)
        page = self.listing.page(project_id, limit=limit, after=after, filters=filters, kind=list_kind(query))
        return page_answer(project_id, page, summary_body, list_position)

    def _own(self, app: Resolver, id_text: str) -> Submission:
        project_id = authenticate(app.current_event, self.projects).project_id
        return self.results.get(parameters.uuid(id_text), project_id)
