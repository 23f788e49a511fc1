"""The commands, a module each.

Programs, problems with judge, checks, webhooks with deliveries, events with listen, service with files and mcp,
administration, operations, project. `__main__` names all of them. No module imports another. Each talks to the service
through `api.Session`.
"""
