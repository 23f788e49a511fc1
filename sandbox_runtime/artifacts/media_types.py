"""The media type of a file by the end of its name. The content is a guest's, so nobody looks into it."""

from pathlib import PurePosixPath
from types import MappingProxyType

UNKNOWN = "application/octet-stream"
_BY_EXTENSION = MappingProxyType(
    {
        ".avif": "image/avif",
        ".bmp": "image/bmp",
        ".csv": "text/csv",
        ".gif": "image/gif",
        ".gz": "application/gzip",
        ".htm": "text/html",
        ".html": "text/html",
        ".jpeg": "image/jpeg",
        ".jpg": "image/jpeg",
        ".json": "application/json",
        ".jsonl": "application/jsonl",
        ".log": "text/plain",
        ".md": "text/markdown",
        ".mp3": "audio/mpeg",
        ".mp4": "video/mp4",
        ".parquet": "application/vnd.apache.parquet",
        ".pdf": "application/pdf",
        ".png": "image/png",
        ".svg": "image/svg+xml",
        ".tar": "application/x-tar",
        ".tsv": "text/tab-separated-values",
        ".txt": "text/plain",
        ".wav": "audio/wav",
        ".webp": "image/webp",
        ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ".xml": "application/xml",
        ".yaml": "application/yaml",
        ".yml": "application/yaml",
        ".zip": "application/zip",
    }
)


def media_type(path: str) -> str:
    """Return the media type of a path."""
    return _BY_EXTENSION.get(PurePosixPath(path).suffix.lower(), UNKNOWN)
