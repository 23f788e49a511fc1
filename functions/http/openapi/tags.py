"""Tags of the OpenAPI document: which part of the product an operation belongs to."""

_TAGS = {
    "Runs": ("Run a program; wait for its result, poll it, list results.", ("submit", "result", "results")),
    "Files": ("Files for runs, kept by their SHA-256.", ("files",)),
    "Judging": ("One program against many cases, and problems that keep their cases here.", ("judge", "problems")),
    "Checks": (
        "Programs that run on a schedule or on an event.",
        ("checks", "pings", "quiet-times", "status-page", "status", "badges", "schedules", "schemas"),
    ),
    "Events": (
        "Events of a project, and a log to poll them from.",
        ("events", "event-types", "event-consumers", "event-samples"),
    ),
    "Webhooks": (
        "Endpoints that receive events, and the deliveries to them.",
        ("webhooks", "deliveries", "egress-addresses"),
    ),
    "Projects": ("For the administrator: projects, API keys, quotas.", ("projects",)),
    "Operations": ("For the administrator: trace, redrive, purge.", ("admin",)),
    "Service": (
        "Languages, health, this document, and the console.",
        ("languages", "health", "openapi.json", "llms.txt", "docs", "", "console"),
    ),
}


def tag_of(path: str) -> str:
    """Return the tag of a path. Raises LookupError."""
    words = path.removeprefix("/api").removeprefix("/").split("/")
    for tag, (_, first_words) in _TAGS.items():
        if words[0] in first_words:
            return tag
    raise LookupError(f"no tag has the path {path}")


def described_tags(used: set[str]) -> list[dict[str, str]]:
    """Return the `tags` of the document, in the order of a reader."""
    return [{"name": tag, "description": description} for tag, (description, _) in _TAGS.items() if tag in used]
