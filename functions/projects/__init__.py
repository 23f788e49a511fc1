"""Projects, API keys, quotas and the administrator's key."""
