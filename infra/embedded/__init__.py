"""AWS for one machine: the parts of DynamoDB and its streams, SQS, EventBridge, S3, SSM and KMS that this project uses.

`Engine` keeps them in one SQLite file. `hook` answers botocore's calls from it, in the same process and without HTTP.
An operation, parameter or expression that the engine does not know raises an error that names it.
The runner opens neither the file nor the key: `runner_socket` serves it within RunnerPolicy.
docs/adr/0009 has the reasons and the costs.
"""
