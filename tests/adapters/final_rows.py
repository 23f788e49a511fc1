"""Write a final state as `Completer` does, without webhooks and quota."""

from functions.aws.clients import Clients
from functions.aws.dynamodb.transaction import transact
from functions.submissions.model import Completion, Submission
from functions.submissions.store import SubmissionStore, with_completion
from tests.submission_factory import new_submission


def write_final(store: SubmissionStore, submission_id: str, done: Completion) -> Submission | None:
    """Write the final state of a submission; return its row, or None if it was final or gone."""
    row = store.get(submission_id) or new_submission(submission_id=submission_id)
    refusal = transact(Clients.dynamodb(), {"row": store.final_update(with_completion(row, done), done)})
    return store.get(submission_id) if refusal is None else None
