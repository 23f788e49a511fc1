"""`make undeploy`: delete a stage. Data stays unless its deletion is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.deploy.errors import DeployError
from infra.deploy.resources import artifacts, fleet
from infra.deploy.resources.retained import KEY_DAYS, Retained, retained
from infra.deploy.resources.secrets import delete_secrets
from infra.deploy.resources.stack import Stack

if TYPE_CHECKING:
    from infra.deploy.progress import Progress
    from infra.deploy.target import Target


def undeploy(target: Target, progress: Progress, *, delete_data: bool) -> None:
    """Delete the stack and the code; list the data that stays, or delete it; delete the network. Raises DeployError.

    A repeat goes on with the stacks that an interrupted call has left.
    """
    account = target.client("sts").get_caller_identity()["Account"]
    stack = Stack(target, progress)
    is_there = stack.describe() is not None
    if not (is_there or fleet.exists(target, fleet.RUNNERS, progress) or fleet.exists(target, fleet.NETWORK, progress)):
        raise DeployError(f"there is no stack {target.stack_name}: check STAGE, REGION and ENDPOINT")
    kept = retained(stack.resources()) if is_there else []
    if delete_data and (protected := [resource.name for resource in kept if resource.is_protected(target)]):
        raise DeployError(
            f"{', '.join(protected)} cannot be deleted: deploy with DeletionProtection=false first, then repeat"
        )
    fleet.delete(target, fleet.NETWORKED, progress)
    fleet.delete(target, fleet.RUNNERS, progress)
    if is_there:
        stack.delete()
        progress.step("stack", f"{target.stack_name} is deleted")
        artifacts.delete_bucket(target, artifacts.bucket_name(target, account))
        progress.step("code", "its bucket is deleted")
        _settle_data(target, kept, progress, delete_data=delete_data)
    # Last: the interfaces of submit are in it, which Lambda removes some time after the function.
    fleet.delete(target, fleet.NETWORK, progress)


def _settle_data(target: Target, kept: list[Retained], progress: Progress, *, delete_data: bool) -> None:
    left = [resource for resource in kept if resource.exists(target)]
    if delete_data:
        for resource in left:
            resource.delete(target)
            progress.step("deleted", f"{resource.name}  {resource.physical_id}")
        for name in delete_secrets(target):
            progress.step("deleted", name)
        progress.plain(f"The KMS key can be restored for {KEY_DAYS} days: aws kms cancel-key-deletion")
        return
    progress.step("stays", f"secrets in SSM under /rustbox/{target.stage}/, for the next deployment of this stage")
    for resource in left:
        progress.step("stays", f"{resource.name}  {resource.physical_id}")
    if left:
        progress.plain("A new deployment does not use this data. To delete it:")
        progress.plain("\n".join(f"  {resource.command}" for resource in left))
