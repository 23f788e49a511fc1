"""The rows of files. It goes when no property of a `Deployment` is used."""

from functools import cached_property

from functions.files.store import ArtifactStore, FileStore
from functions.projects.deployment import ProjectDeployment


class FileDeployment(ProjectDeployment):
    """The rows of files and artifacts."""

    @cached_property
    def files(self) -> FileStore:
        """The files of projects."""
        return self[FileStore]

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Where artifacts are, by their hashes."""
        return self[ArtifactStore]
