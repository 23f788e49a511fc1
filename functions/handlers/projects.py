"""Lambda entry point of /api/projects: projects, their API keys and quotas, for the administrator's key."""

from functions.env import Env
from functions.http.resolver import api_handler
from functions.projects.api import KEY_ROUTES, PROJECT_ROUTES, KeyRoutes, ProjectRoutes

SETTINGS = ("stage", "projects_table", "admin_key_parameter")
ENV = Env("manage", SETTINGS)

handler = api_handler(ENV, (PROJECT_ROUTES, ProjectRoutes), (KEY_ROUTES, KeyRoutes))
