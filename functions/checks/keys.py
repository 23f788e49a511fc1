"""Keys of the checks table."""

import hashlib

from functions.aws.dynamodb.items import Key, key

CHECK_PREFIX = "CHECK#"
STATUS = "STATUS"
HOLDER = "check "
"""Start of the name by which a check holds its files."""


def checks_pk(project_id: str) -> str:
    return f"PROJECT#{project_id}"


def check_key(project_id: str, check_id: str) -> Key:
    return key(checks_pk(project_id), CHECK_PREFIX + check_id)


def clock_key() -> Key:
    return key("CLOCK", "CLOCK")


def ids_of_check(pk: str, sk: str) -> tuple[str, str]:
    return pk.removeprefix("PROJECT#"), sk.removeprefix(CHECK_PREFIX)


def source_key(project_id: str, check_id: str) -> Key:
    return key(checks_pk(project_id), f"SOURCE#{check_id}")


def good_key(project_id: str, check_id: str) -> Key:
    return key(checks_pk(project_id), f"GOOD#{check_id}")


def slug_key(project_id: str, slug: str) -> Key:
    return key(checks_pk(project_id), f"SLUG#{slug}")


def count_key(project_id: str) -> Key:
    """Return the key of the number of checks. It must not match CHECK_PREFIX."""
    return key(checks_pk(project_id), "CHECKS")


def quiet_key(project_id: str) -> Key:
    return key(checks_pk(project_id), "QUIET")


def status_page_key(project_id: str) -> Key:
    return key(checks_pk(project_id), STATUS)


def status_token_key(token: str) -> Key:
    return key(f"STATUS#{token}", STATUS)


def outages_pk(project_id: str, check_id: str) -> str:
    return f"OUTAGES#{project_id}#{check_id}"


def outage_key(project_id: str, check_id: str, since: str) -> Key:
    return key(outages_pk(project_id, check_id), since)


def requests_key(project_id: str, profile: str, hour: int) -> Key:
    return key(checks_pk(project_id), f"REQUESTS#{profile}#{hour}")


def badge_key(token: str) -> Key:
    return key(f"BADGE#{token}", "BADGE")


def ping_key(token_hash: str) -> Key:
    return key(f"PING#{token_hash}", "PING")


def ping_bodies_pk(project_id: str, check_id: str) -> str:
    return f"PINGS#{project_id}#{check_id}"


def ping_body_key(project_id: str, check_id: str, place: int) -> Key:
    return key(ping_bodies_pk(project_id, check_id), f"{place:02}")


def hook_key(check_id: str) -> Key:
    return key(f"HOOK#{check_id}", "HOOK")


def event_key(check_id: str, event_id: str) -> Key:
    """Return the key that makes an event of a check unique. It holds a hash: senders choose the id."""
    return key(f"INBOUND#{check_id}", hashlib.sha256(event_id.encode(errors="surrogatepass")).hexdigest())


def calls_pk(check_id: str) -> str:
    return f"CALLS#{check_id}"


def triggers_pk(project_id: str) -> str:
    return f"TRIGGERS#{project_id}"


def trigger_key(project_id: str, check_id: str) -> Key:
    return key(triggers_pk(project_id), check_id)


def runs_pk(project_id: str, check_id: str) -> str:
    return f"RUNS#{project_id}#{check_id}"


GROUPS = "GROUPS#"


def groups_pk(project_id: str, check_id: str) -> str:
    return f"{GROUPS}{project_id}#{check_id}"


def run_key(project_id: str, check_id: str, position: str) -> Key:
    return key(runs_pk(project_id, check_id), position)
