"""LibreChat's code API at /librechat: programs, and the files of a session, which expire a day after their last use.

Facts: the clients in LibreChat and @librechat/agents, and the tests of LibreCodeInterpreter, a server of this protocol.

api.py    the routes, and what their answers show
form.py   an uploaded form, part by part
"""
