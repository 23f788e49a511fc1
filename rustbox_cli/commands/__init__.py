"""The commands, a module each.

Programs, judge, problems, files, checks, webhooks with deliveries, events, listen, service with mcp, administration.

`all_commands` names all of them. No command imports another. Each talks to the service through `session.Session`.
"""
