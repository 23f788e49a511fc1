"""The resources of a stage, in the order of a deployment.

1. `ssm_and_bucket`: secrets as parameters of SSM, and the bucket with zip and template.
2. `stack` creates or updates the CloudFormation stack, and adopts resources that outlive it.
   `emulator` adds what an emulator's CloudFormation leaves out.
3. `fleet` is the stack of runners on ECS.
"""
