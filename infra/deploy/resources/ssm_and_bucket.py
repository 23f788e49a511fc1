"""Secrets of a stage, as SecureStrings in SSM, and the bucket with its zip and template."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from infra.deploy.building.package import Package
    from infra.deploy.target import Target


_BYTES = 32


def ensure_secret(target: Target, name: str) -> bool:
    """Create the parameter with a random value unless it exists. Return whether it was created."""
    ssm: Any = target.client("ssm")
    try:
        ssm.put_parameter(Name=name, Type="SecureString", Value=secrets.token_urlsafe(_BYTES), Overwrite=False)
    except ssm.exceptions.ParameterAlreadyExists:
        return False
    return True


def find_secret(target: Target, name: str) -> str | None:
    """Return the value of a parameter, None if there is none."""
    ssm: Any = target.client("ssm")
    try:
        value: str = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return value


def write_secret(target: Target, name: str, value: str) -> None:
    """Create or replace a parameter."""
    target.client("ssm").put_parameter(Name=name, Type="SecureString", Value=value, Overwrite=True)


def delete_secrets(target: Target) -> list[str]:
    """Delete every secret of the stage; return the names."""
    ssm: Any = target.client("ssm")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/rustbox/{target.stage}/")
    names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
    for name in names:
        ssm.delete_parameter(Name=name)
    return names


# The bucket with the code: the zip and the template, each under the hash of its content.

_US_EAST_1 = "us-east-1"


def bucket_name(target: Target, account: str) -> str:
    """Name of the bucket; unique for account, region and stage."""
    return f"{target.stack_name}-code-{account}-{target.region}"


def ensure_bucket(target: Target, bucket: str) -> None:
    """Create the bucket, closed to the public, unless it exists."""
    s3: Any = target.client("s3")
    # us-east-1 is the default, and no valid constraint.
    place = {} if target.region == _US_EAST_1 else {"CreateBucketConfiguration": {"LocationConstraint": target.region}}
    try:
        s3.create_bucket(Bucket=bucket, **place)
    except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        # us-east-1 answers 200 for an own bucket. A bucket of another account refuses the next call.
        s3.head_bucket(Bucket=bucket)
    blocks = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))


def upload_package(target: Target, bucket: str, package: Package) -> tuple[str, bool]:
    """Return the key of the zip and whether it had to be uploaded."""
    key = f"{package.digest}.zip"
    s3: Any = target.client("s3")
    if _exists(s3, bucket, key):
        return key, False
    s3.upload_file(str(package.path), bucket, key)
    return key, True


def upload_template(target: Target, bucket: str, template: dict[str, Any]) -> str:
    """Return the URL of the template. CloudFormation takes at most 51,200 bytes in a request itself, 1 MB from S3."""
    body = json.dumps(template, sort_keys=True).encode()
    key = f"{hashlib.sha256(body).hexdigest()}.json"
    s3: Any = target.client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    if target.endpoint is not None:
        return f"{target.endpoint}/{bucket}/{key}"
    return f"https://{bucket}.s3.{target.region}.amazonaws.com/{key}"


def delete_bucket(target: Target, bucket: str) -> None:
    """Delete the bucket with everything in it."""
    s3: Any = target.client("s3")
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if keys := [{"Key": item["Key"]} for item in page.get("Contents", [])]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        s3.delete_bucket(Bucket=bucket)
    except s3.exceptions.NoSuchBucket:
        return


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
            return False
        raise
    return True
