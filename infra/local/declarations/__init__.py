"""template.yaml as typed values.

1. `translation` makes plain CloudFormation resources of it. `template` resolves their intrinsic functions.
2. `stack` reads routes, functions, mappings and schedules. `stream_filters` are the filters of stream mappings.
"""
