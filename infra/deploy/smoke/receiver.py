"""A webhook receiver on AWS, for the time of a smoke test: a function with a public address.

It answers 200 to a webhook with a valid signature and 401 to anything else, so the delivery log shows
whether it arrived unchanged.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.deploy.resources.ssm_and_bucket import upload_template
from infra.deploy.resources.stack import Stack
from infra.deploy.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.deploy.target import Progress

_SECRET_BYTES = 32
CODE = """
import base64, hmac, os, time

def handler(event, context):
    headers, body = event["headers"], event.get("body") or ""
    body = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(time.time() - int(stamp)) > 300:
        return {"statusCode": 401}
    signed = f'{headers.get("webhook-id", "")}.{stamp}.'.encode() + body
    mac = base64.b64encode(hmac.digest(os.environ["SECRET"].encode(), signed, "sha256")).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return {"statusCode": 200 if any(hmac.compare_digest("v1," + mac, one) for one in given) else 401}
"""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver."""

    url: str
    secret: str


def template(secret: str) -> dict[str, Any]:
    """Return the stack. The function has no permission at all, not even to write logs."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    anyone = {"FunctionName": {"Ref": "Function"}, "Principal": "*"}
    return {
        "Description": "Receiver of the smoke test of make deploy. Delete it if it is older than an hour.",
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Code": {"ZipFile": CODE},
                    "Timeout": 10,
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Environment": {"Variables": {"SECRET": secret}},
                },
            },
            "Url": {
                "Type": "AWS::Lambda::Url",
                "Properties": {"AuthType": "NONE", "TargetFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]}},
            },
            # Both are needed: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
            "MayCallUrl": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {**anyone, "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
            },
            "MayCallFunction": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {**anyone, "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
            },
        },
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}}},
    }


@contextmanager
def receiver(target: Target, bucket: str, progress: Progress) -> Iterator[Receiver]:
    """Create the receiver and delete it at the end. `bucket`: for its template."""
    stack = Stack(Target(f"{target.stage}-receiver", target.region, target.endpoint), progress)
    secret = secrets.token_hex(_SECRET_BYTES)
    try:
        stack.deploy(upload_template(target, bucket, template(secret)), {})
        yield Receiver(stack.outputs()["Url"], secret)
    finally:
        if stack.describe() is not None:
            stack.delete()
