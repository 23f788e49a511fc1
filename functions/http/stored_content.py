"""Headers by which a function asks the gateway of one machine to take the body, or to send an object of the bucket.

AWS's gateway would show them to the client, so no route sends them there.
"""

UPLOAD_KEY = "x-stored-upload-key"
UPLOAD_SIZE = "x-stored-upload-size"
UPLOAD_CHECKSUM = "x-stored-upload-checksum"
UPLOAD_TYPE = "x-stored-upload-type"
UPLOAD_OWNER = "x-stored-upload-owner"
DOWNLOAD_KEY = "x-stored-object-key"


def upload_headers(key: str, size: int, checksum: str, media_type: str, owner: str) -> dict[str, str | list[str]]:
    """Return the headers that let the gateway store the body. `checksum`: SHA-256 in base64. `owner`: the project."""
    return {
        UPLOAD_KEY: key,
        UPLOAD_SIZE: str(size),
        UPLOAD_CHECKSUM: checksum,
        UPLOAD_TYPE: media_type,
        UPLOAD_OWNER: owner,
    }


def download_headers(key: str) -> dict[str, str | list[str]]:
    """Return the headers that let the gateway send an object, which a browser saves and never shows."""
    return {
        DOWNLOAD_KEY: key,
        "content-disposition": "attachment",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "private, no-store",
    }
