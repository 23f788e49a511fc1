"""The resources of a stage, in the order of a deployment.

1. `artifacts` is the bucket with zip and template. `retained` adopts resources that outlive their stack.
2. `stack` creates or updates the CloudFormation stack. `emulator` adds what an emulator's CloudFormation leaves out.
3. `secrets` are parameters of SSM. `fleet` is the stack of runners on ECS.
"""
