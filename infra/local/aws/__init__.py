"""AWS as the stack has it.

`embedded_aws` starts the engine, and `aws_environment` leads boto3 to it. `resources` creates the template's tables,
queues, bucket, bus and key.
"""
