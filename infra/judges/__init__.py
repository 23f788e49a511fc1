"""Judges of the templates: cfn-lint, AWS's cloudformation-validate, checkov and cdk-nag.

They see each template as CloudFormation gets it. A finding is open unless `Metadata: {accepted: {RULE: reason}}`
accepts it: beside the resource, or at the head of the template for a type of resource, a parameter or an output.
An accepted rule that finds nothing is an error too, so that exceptions do not outlive their cause.
"""
