"""The files and options of a request, as its steps get them."""

from events.files import PlacedFile, files_of
from events.requested import ExecutionRequested, JudgeRequested
from sandbox_runtime.executor.compilation import Inputs
from sandbox_runtime.jail.spec import InputFile
from sandbox_runtime.languages import Language, refuse_unfit


def checked_inputs(
    request: ExecutionRequested | JudgeRequested, language: Language, folder: str, case: int | None = None
) -> Inputs:
    """Return the files and options of a request. `folder`: with its stored files. Raises RequestRefusedError.

    `case`: the place of a case, whose own files are there too.
    """
    files = tuple(map(_input_file, files_of(request.files or (), case)))
    options = request.compile_args or ()
    refuse_unfit(language, request.code, files, options)
    return Inputs(files, folder, options)


def _input_file(file: PlacedFile) -> InputFile:
    sha256 = "" if file.stored is None else file.stored.sha256
    return InputFile(file.path, file.size_bytes, file.read_only, file.content, sha256)
