"""A secret of a run, and what its relay lets through: the rules for a request, and the headers of both directions.

A host must see the same path that the rules were checked on. So every path that two servers read differently is
refused: RFC 3986, section 6.2.2. RFC 9110, section 7.6.1, has the headers of a connection.
"""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from sandbox_runtime.network.relay.masking import MIN_FORM_BYTES, forms_of, mask

type Headers = list[tuple[bytes, bytes]]

ALIAS_SUFFIX: Final = ".secrets.rustbox.internal"
ALIAS_PORT: Final = 80
_TLS_PORT: Final = 443
_MAX_TARGET_BYTES: Final = 8_192

# Of one connection only, or the relay's own.
_OF_CONNECTION: Final = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding "
    b"upgrade content-length host expect accept-encoding http2-settings alt-svc strict-transport-security".split()
)
# A host that obeys one of these serves another path, method or host than the rules were checked on.
_OVERRIDES: Final = frozenset(
    b"x-http-method x-http-method-override x-method-override x-original-url x-rewrite-url x-original-host forwarded "
    b"range if-range".split()
)
_OVERRIDE_PREFIX: Final = b"x-forwarded-"
_AMBIGUOUS_ESCAPES: Final = re.compile(rb"%(?:2[fFeE]|5[cC]|00|25)")
_BAD_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_TARGET: Final = re.compile(rb"/[!-~]*")


class RefusedError(Exception):
    """The relay does not pass a request on. The text is for the program, and has nothing of the secret."""

    def __init__(self, status: int, problem: str) -> None:
        self.status, self.problem = status, problem
        super().__init__(problem)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its value. `placement`: "bearer", "basic", "header" or "query"; `parameter`: of the last two.

    `methods` and `paths`: what a request may use; empty: all. A path allows itself and everything below it.
    """

    name: str
    host: str
    port: int
    placement: str
    parameter: str = ""
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def alias(self) -> str:
        """The name of the host inside the run."""
        return self.name + ALIAS_SUFFIX

    @property
    def authority(self) -> bytes:
        """The Host header for the host."""
        return (self.host if self.port == _TLS_PORT else f"{self.host}:{self.port}").encode()


@dataclass(frozen=True, slots=True)
class OpenSecret:
    """A secret with its value, in the relay's process alone."""

    secret: Secret
    value: bytes = field(repr=False)
    forms: tuple[bytes, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, secret: Secret, value: bytes) -> "OpenSecret":
        """Prepare the masks: of the value, and of what the host gets, which it may return in another form.

        Of `basic`, "user:password", the password is masked by itself too.
        """
        forms = set(forms_of(value))
        if secret.placement == "basic":
            forms |= {*forms_of(value.partition(b":")[2]), *forms_of(base64.b64encode(value))}
        elif secret.placement == "query":
            forms |= set(forms_of(quote(value, safe="").encode()))
        return cls(secret, value, tuple(sorted(forms, key=lambda form: (-len(form), form))))

    def __post_init__(self) -> None:
        if len(self.value) < MIN_FORM_BYTES:
            raise ValueError(f"the value of secret {self.secret.name} is too short to be masked")

    def outgoing(self, method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> tuple[bytes, Headers]:
        """Check a request. Returns its target and its headers for the host, without those of its length.

        Raises RefusedError.
        """
        secret = self.secret
        if method == b"CONNECT":
            raise RefusedError(400, "the relay makes no tunnel: send the request itself")
        if secret.methods and method.decode("ascii") not in secret.methods:
            raise RefusedError(403, f"secret {secret.name} does not allow this method")
        _check_target(target, secret)
        own = b"authorization" if secret.placement in {"bearer", "basic"} else b""
        if secret.placement == "header":
            own = secret.parameter.lower().encode()
        headers = list(headers)
        named = _named_by_connection(headers)
        kept: Headers = [(b"host", secret.authority), (b"accept-encoding", b"identity")]
        for name, value in headers:
            plain = name.lower().replace(b"_", b"-")  # some hosts read both as one
            if plain not in named and plain not in _OVERRIDES and plain != own and not _is_of_connection(plain):
                kept.append((name, value))
        if secret.placement == "query":
            target = _with_parameter(target, secret.parameter, self.value)
        else:
            kept.append((own, self._header_value()))
        return target, kept

    def _header_value(self) -> bytes:
        if self.secret.placement == "bearer":
            return b"Bearer " + self.value
        return b"Basic " + base64.b64encode(self.value) if self.secret.placement == "basic" else self.value


def _is_of_connection(name: bytes) -> bool:
    return name in _OF_CONNECTION or name.startswith(_OVERRIDE_PREFIX)


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    words = [value for name, value in headers if name.lower() == b"connection"]
    return frozenset(word.strip().lower().replace(b"_", b"-") for value in words for word in value.split(b","))


def _check_target(target: bytes, secret: Secret) -> None:
    """Refuse every target but a path that all servers read alike. Raises RefusedError."""
    if len(target) > _MAX_TARGET_BYTES:
        raise RefusedError(414, "the address is too long")
    path = target.partition(b"?")[0]
    segments = [segment.partition(b";")[0] for segment in path.split(b"/")]
    if (
        not _TARGET.fullmatch(target)
        or any(character in target for character in b"#\\")
        or _AMBIGUOUS_ESCAPES.search(path)
        or _BAD_ESCAPE.search(path)
        or any(segment in {b".", b".."} for segment in segments)
        or b"//" in path
    ):
        raise RefusedError(400, "the address must be a plain path such as /users?page=2")
    if secret.paths:
        plain = unquote_to_bytes(path).decode("latin-1")
        for prefix in secret.paths:
            stem = prefix.rstrip("/").encode().decode("latin-1")
            if plain in {stem, prefix} or plain.startswith(stem + "/"):
                return
        raise RefusedError(403, f"secret {secret.name} does not allow this path")


def _with_parameter(target: bytes, parameter: str, value: bytes) -> bytes:
    """Set a parameter of the query, in the place of the program's own."""
    path, _, query = target.partition(b"?")
    kept = [
        pair
        for pair in query.split(b"&")
        if pair and unquote_to_bytes(pair.partition(b"=")[0].replace(b"+", b" ")) != parameter.encode()
    ]
    return path + b"?" + b"&".join([*kept, f"{quote(parameter, safe='')}={quote(value, safe='')}".encode()])


def incoming(opened: OpenSecret, headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an answer for the program, without those of its length. Raises RefusedError."""
    headers = list(headers)
    named = _named_by_connection(headers)
    kept: Headers = []
    for name, value in headers:
        plain = name.lower()
        if plain == b"content-encoding" and value.strip().lower() not in {b"", b"identity"}:
            raise RefusedError(502, "the host compressed its answer: its content cannot be checked")
        if plain in named or plain in _OF_CONNECTION or plain == b"content-encoding":
            continue
        is_place = plain in {b"location", b"content-location"}
        shown = _with_alias(value, opened.secret) if is_place else value
        kept.append((mask(opened.forms, name), mask(opened.forms, shown)))
    return kept


def _with_alias(location: bytes, secret: Secret) -> bytes:
    """Return a location at the secret's host as one at its alias, else the location."""
    for origin in _origins(secret):
        rest = location[len(origin) :]
        if location[: len(origin)].lower() == origin and rest[:1] in {b"", b"/", b"?", b"#"}:
            return b"http://" + secret.alias.encode() + rest
    return location


def _origins(secret: Secret) -> tuple[bytes, ...]:
    host = secret.host.lower().encode()
    with_port = b"https://" + host + b":" + str(secret.port).encode()
    return (with_port, b"https://" + host) if secret.port == _TLS_PORT else (with_port,)


def secret_from(found: Mapping[str, object]) -> Secret:
    """Build a secret of a message's fields. Raises KeyError, TypeError and ValueError."""
    methods, paths = found["methods"], found["paths"]
    if not (isinstance(methods, list) and isinstance(paths, list)):
        raise TypeError
    return Secret(
        name=str(found["name"]),
        host=str(found["host"]),
        port=int(str(found["port"])),
        placement=str(found["placement"]),
        parameter=str(found["parameter"]),
        methods=tuple(map(str, methods)),
        paths=tuple(map(str, paths)),
    )
