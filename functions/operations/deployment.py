"""The stores of all that belongs to a project."""

from functions.checks.deployment import CheckDeployment
from functions.judging.deployment import JudgeDeployment


class OperationDeployment(CheckDeployment, JudgeDeployment):
    """The stores of all that belongs to a project, which a purge deletes."""
