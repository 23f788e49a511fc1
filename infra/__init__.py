"""What surrounds the deployed code: the local stack and set-up."""
