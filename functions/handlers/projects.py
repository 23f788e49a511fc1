"""Lambda entry point of /api/projects: projects, their API keys and quotas, for the administrator's key."""

from functions.env import Env
from functions.http.resolver import api_handler
from functions.projects.api import KEY_ROUTES, PROJECT_ROUTES, KeyRoutes, ProjectRoutes
from functions.projects.changes import change_log
from functions.webhooks.changes import ChangeEvents

SETTINGS = ("stage", "projects_table", "admin_key_parameter", "deliveries_table", "deliveries_queue_url")
ENV = Env("manage", SETTINGS)
ENV.provide(change_log, ChangeEvents)

handler = api_handler(ENV, (PROJECT_ROUTES, ProjectRoutes), (KEY_ROUTES, KeyRoutes))
