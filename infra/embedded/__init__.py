"""AWS for one machine: the parts of DynamoDB and its streams, SQS, EventBridge, S3, SSM and KMS.

`Engine` keeps them in one SQLite file. `hook` answers botocore's calls from it, in the same process and without HTTP.
An operation, parameter or expression that the engine does not know raises an error that names it.
`confined` is for a process that may open neither the file nor the keys, and has the calls of a policy.
README.md explains how to add an operation, docs/adr/0009 the reasons and the costs.
"""

import sys


def leave_out_developer_packages() -> None:
    """Keep botocore from importing packages that only a developer's tools install: 6 MB and 50 ms of a process.

    Call it before the first import of `botocore.session`. An installation without these tools has the same botocore.
    """
    sys.modules.update(dict.fromkeys(("awscrt", "OpenSSL")))  # type: ignore[arg-type]
