"""The local stack, the deployment and the set-up."""
