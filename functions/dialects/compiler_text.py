"""The text of a compiler, without the line that our runners write above it."""


def without_heading(language: str, stderr: bytes) -> bytes:
    """Return the stderr of a program that does not compile without our heading."""
    return stderr.removeprefix(f"{language} Compilation Error:\n".encode())
