"""Check the webhook URLs of requests by the rules of the deployment."""

from dataclasses import dataclass

from functions.errors import FieldProblem
from functions.webhooks.target.webhook_url import AddressRefusedError, check_url


@dataclass(frozen=True, slots=True)
class AddressRules:
    """`allow_insecure`: also http and this machine (local stage). `own_hosts`: host names of our own API."""

    allow_insecure: bool = False
    own_hosts: tuple[str, ...] = ()

    def problem(self, url: str, field: str = "url") -> FieldProblem | None:
        """Return the problem with a URL; None if it is allowed."""
        try:
            for own_host in self.own_hosts or ("",):
                check_url(url, allow_insecure=self.allow_insecure, own_host=own_host)
        except AddressRefusedError as refused:
            return FieldProblem(field, f"{refused.code}: {refused.message}")
        return None


PUBLIC_ONLY = AddressRules()
