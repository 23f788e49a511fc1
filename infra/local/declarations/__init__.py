"""template.yaml as typed values.

1. `translation` makes plain CloudFormation resources of it. `template` resolves their intrinsic functions.
2. `stack` reads routes, functions, mappings with their filters, and schedules.
"""
