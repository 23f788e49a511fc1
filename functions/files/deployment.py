"""The stores and use cases of files."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from functions.projects.deployment import ProjectDeployment

if TYPE_CHECKING:
    from functions.files.objects import FileObjects, Links
    from functions.files.store import ArtifactStore, FileStore
    from functions.files.use import ArtifactCopies, FileCreation, FileLookup, FileRemoval, FileUpload, FileUse


class FileDeployment(ProjectDeployment):
    """The stores and use cases of files."""

    def is_file_held(self, project_id: str, sha256: str, holder: str) -> bool:  # noqa: ARG002 - the signature of all
        """Tell whether a holder still names a file. A deployment that knows no holders believes all of them."""
        return True

    @cached_property
    def files(self) -> FileStore:
        """The files of projects."""
        from functions.files.store import FileStore

        return FileStore(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def file_objects(self) -> FileObjects:
        """The bytes of files."""
        from functions.aws.clients import Clients
        from functions.files.objects import FileObjects

        return FileObjects(self.settings.payloads_bucket, Clients.s3)

    @cached_property
    def file_links(self) -> Links:
        """The URLs for the bytes of files."""
        from functions.aws.clients import Clients
        from functions.files.objects import PresignedLinks, ServiceLinks

        if self.settings.serves_files:
            return ServiceLinks(self.settings.public_base_url, self.clock)
        return PresignedLinks(self.settings.payloads_bucket, Clients.s3_signing, self.clock)

    @cached_property
    def file_lookup(self) -> FileLookup:
        """Finds files."""
        from functions.files.use import FileLookup

        return FileLookup(self.files, self.file_objects)

    @cached_property
    def file_creation(self) -> FileCreation:
        """Writes rows of new files."""
        from functions.files.use import FileCreation

        return FileCreation(self.files, self.clock)

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Where artifacts are, by their hashes."""
        from functions.files.store import ArtifactStore

        return ArtifactStore(self.settings.submissions_table, self.dynamodb, self.clock)

    @cached_property
    def artifact_copies(self) -> ArtifactCopies:
        """Makes files of artifacts."""
        from functions.files.use import ArtifactCopies

        return ArtifactCopies(self.artifacts, self.file_creation, self.file_lookup)

    @cached_property
    def file_upload(self) -> FileUpload:
        """Prepares uploads."""
        from functions.files.use import FileUpload

        return FileUpload(
            self.files, self.artifact_copies, self.file_creation, self.file_links, self.file_removal, self.clock
        )

    @cached_property
    def file_removal(self) -> FileRemoval:
        """Deletes files."""
        from functions.files.use import FileRemoval

        return FileRemoval(self.files, self.file_objects, self.clock)

    @cached_property
    def file_use(self) -> FileUse:
        """Holds files of runs."""
        from functions.files.use import FileUse

        return FileUse(self.artifact_copies, self.files)
