"""The first writes of a submission, its place in the quota and its row, with the run begun as early as is safe."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.api.asking import Asking
from functions.core.delivery import RUN_ENDPOINT_ID
from functions.core.errors import Unavailable
from functions.core.failpoint import reach
from functions.core.submission import INLINE_INPUT_MAX_BYTES
from functions.store.submissions import ClaimTaken

if TYPE_CHECKING:
    from functions.api.admission import Admission, Admitted
    from functions.api.direct import DirectPath
    from functions.core.project import Project
    from functions.core.quota import Usage
    from functions.core.request import RunRequest
    from functions.core.submission import Claim, Submission
    from functions.payloads import Payloads
    from functions.secret_box import SecretBoxes
    from functions.store.submissions import SubmissionStore


@dataclass(frozen=True, slots=True)
class Beginning:
    """The parts that it needs. `direct` None: no runner is asked directly."""

    store: SubmissionStore
    admission: Admission
    payloads: Payloads
    boxes: SecretBoxes
    direct: DirectPath | None

    def begin(
        self, project: Project, row: Submission, run: RunRequest, claim: Claim | None
    ) -> tuple[Submission, bool, Usage]:
        """Return the row, whether its run is cared for, and its quota. Raises what either table raises, RateLimited.

        The sandbox has no effect outside, so the run goes on beside the writes. Where the quota may be used up it is
        taken first, and where there is a key that must be won: of many equal requests one runs.
        """
        asking = Asking(self.direct if row.asked_directly else None, run)
        try:
            if claim is None:
                admitted = self._admit_beside(asking, project, row)
                asking.begin(row)
            else:
                admitted = self.admission.admit(project, row)
            row = self._create_or_give_back(row, run, claim, admitted)
        except BaseException:
            asking.abandon()
            raise
        asking.begin(row)
        final = asking.finish(row)
        return (row, False, admitted.usage) if final is None else (final, True, admitted.usage)

    def _admit_beside(self, asking: Asking, project: Project, row: Submission) -> Admitted:
        """Take the quota, with the run begun before that if there is ample room."""
        if asking.direct is None or not self.admission.room.enter(row, project.quota(row.profile)):
            return self.admission.admit(project, row)
        try:
            asking.begin(row)
            return self.admission.admit(project, row)
        finally:
            self.admission.room.leave(row)

    def _create_or_give_back(
        self, row: Submission, run: RunRequest, claim: Claim | None, admitted: Admitted
    ) -> Submission:
        try:
            return self._create(row, run, claim)
        except ClaimTaken:
            self.admission.give_back(row, admitted)
            raise
        except (ClientError, BotoCoreError, Unavailable):
            self.admission.give_back_unwritten(row, admitted)
            raise

    def _create(self, row: Submission, run: RunRequest, claim: Claim | None) -> Submission:
        if run.webhook_secret is not None:
            box = self.boxes.seal(run.webhook_secret, row.project_id, RUN_ENDPOINT_ID)
            row = replace(row, webhook_secret_box=box)
        if len(run.code) + len(run.stdin) > INLINE_INPUT_MAX_BYTES:
            key = self.payloads.put_input(row.submission_id, run.code, run.stdin)
            row = replace(row, code=None, stdin=None, input_key=key)
        self.store.create(row, claim)
        reach("submit.after_create")
        return row
