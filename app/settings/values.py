"""What each setting may hold: one type a kind of value, with its parser of an operator's text.

Used by `Settings` alone. A refusal is a ValueError whose words follow the setting's name ("must be ...") and say how to
put it right; it must never hold the value.
"""

from __future__ import annotations

import csv
import ipaddress
import re
from collections.abc import Iterable
from datetime import time
from email.utils import formataddr, getaddresses
from functools import partial
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

MAKE_SECRET = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
PLAIN_HTTP = (
    "PUBLIC_URL is http: whoever sees the traffic can read the links and decide. "
    "Put an HTTPS proxy before the gate, and change PUBLIC_URL to https."
)

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9a-f:]*:[0-9a-f:.]*")
_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}"
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*"')
_PEM = re.compile(r"-----BEGIN ((?:RSA )?PRIVATE KEY)-----\n[A-Za-z0-9+/=\n]+\n-----END \1-----")
# As SQLAlchemy takes it apart: what it cannot read it shows, password and all.
_POSTGRES = re.compile(
    r"(?:[^:/@]*(?::[^@]*)?@)?(?:\[[0-9A-Fa-f:.]+\]|[^@/?:\[\]]*)(?::[0-9]{1,5})?/[^@/?]+(?:\?.*)?"
)
_NO_BRANCH = re.compile(r"[\x00- ~^:?*\[\\\x7f]|\.\.|//|@\{|/\.|\.lock(?:/|\Z)|\A[./-]|[./]\Z|\A(?:@|HEAD)\Z")


def matching(pattern: str, refusal: str) -> BeforeValidator:
    """Return a parser for text of this pattern, of which pydantic makes the type."""

    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(refusal)
        return value

    return BeforeValidator(parse)


def entries(pattern: str, refusal: str, what: str) -> BeforeValidator:
    """Return a parser for entries of this pattern with commas between them, each another."""

    def parse(value: str) -> tuple[str, ...]:
        found = tuple(entry.strip() for entry in value.split(","))
        for place, entry in enumerate(found, 1):
            if not re.fullmatch(pattern, entry):
                raise ValueError(f"{refusal}: look at {what} {place}.")
        _each_once(found, what)
        return found

    return BeforeValidator(parse)


def _each_once(found: Iterable[str], what: str) -> None:
    found = [entry.casefold() for entry in found]
    if len(set(found)) < len(found):
        raise ValueError(f"names the same {what} twice: remove one.")


def whole(low: int, high: int) -> BeforeValidator:
    """Return a parser for whole numbers within these bounds, both allowed."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}.")
        return int(value)

    return BeforeValidator(parse)


def check_names(value: str) -> tuple[str, ...]:
    """Split at commas that are not within quotation marks: the name of a check may hold one."""
    try:
        (row,) = csv.reader([value], skipinitialspace=True, strict=True)
    except csv.Error:
        raise ValueError('must look like: lint, "test (3.11, linux)". Close each quotation mark.') from None
    found = tuple(entry.strip() for entry in row)
    if not all(found):
        raise ValueError("has an empty entry: remove the stray comma.")
    return found


def private_key(value: str) -> str:
    r"""Return a PEM key, given as a file has it or on one line with a literal "\n" for each line's end."""
    key = value.replace("\\n", "\n").replace("\r\n", "\n").strip()
    if not _PEM.fullmatch(key):
        raise ValueError("must be the whole .pem file that GitHub made, from -----BEGIN to -----END.")
    return key + "\n"


def web_address(value: str, path: bool = False) -> str:
    """Return http(s)://host[:port][/path] without a slash at its end."""
    parts = ("path, " if not path else "") + "query or user name"
    wrong = ValueError(f"must be a web address like https://gate.example.com, without {parts}.")
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
    except ValueError:
        raise wrong from None
    is_plain = re.fullmatch(r"https?:[!\"$->@-~]+", value, re.IGNORECASE) and "@" not in url.netloc
    if not is_plain or not _HOST.fullmatch(host) or not (path or url.path in ("", "/")):
        raise wrong
    return f"{url.scheme}://{url.netloc.lower()}{url.path.rstrip('/')}"


def is_public(host: str) -> bool:
    """Tell whether a host can be reached from the internet, as far as its name or address says.

    Names that never are: https://www.rfc-editor.org/rfc/rfc6761, rfc6762 (local), rfc8375 (home.arpa), and
    `internal`, which ICANN reserved in 2024. A name of one word is one of the own network.
    """
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        name = host.rstrip(".").lower()
    return "." in name and not re.search(
        r"\.(?:local|localhost|internal|home\.arpa|lan|test|invalid)\Z", name
    )


def preview_address(value: str) -> str:
    """Return the template as given; whoever fills it in encodes the values first."""
    sample = re.sub(r"\{(?:number|branch|sha)\}", "1", value)
    if re.search(r"[{}]", sample):
        raise ValueError("may hold {number}, {branch} and {sha}, and no other braces.")
    web_address(re.split(r"[?#]", sample)[0], path=True)
    if not re.fullmatch(r"[!-~]+", sample):
        raise ValueError("must be written with plain characters only, without blanks.")
    address = re.split(r"[?#]", value)[0]
    if "{branch}" in urlsplit(address).netloc + value[len(address) :]:
        raise ValueError("may hold {branch} only in its path: not in the host, nor after a ? or #.")
    return value


def branch(value: str) -> str:
    """Return a branch name that git accepts (https://git-scm.com/docs/git-check-ref-format), or '' for none."""
    if _NO_BRANCH.search(value):
        raise ValueError("must be a branch name that git accepts, such as development.")
    return value


def mailboxes(value: str) -> tuple[tuple[str, str], ...]:
    """Return (name, address) pairs; without a name, what stands before the @ is the name."""
    found = tuple((name or address.partition("@")[0], address) for name, address in getaddresses([value]))
    # Each address needs a place of its own between commas: "Lily <a@x.org> <b@x.org>" hides a second person.
    if len(found) != _QUOTED.sub("", value).count(",") + 1:
        raise ValueError('must look like: Lily <lily@example.com>, "Doe, Jo" <jo@example.com>.')
    for place, (_, address) in enumerate(found, 1):
        if not _MAILBOX.fullmatch(address):
            raise ValueError(f"must look like: Lily <lily@example.com>. Look at address {place}.")
    _each_once((address for _, address in found), "address")
    return found


def sender(value: str) -> str:
    """Return one address as a header carries it: in ASCII, other names as RFC 2047 words, as SES asks.

    Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html (FromEmailAddress).
    """
    if len(mailboxes(value)) > 1:
        raise ValueError("must be one address, such as QA gate <gate@example.com>.")
    return formataddr(getaddresses([value])[0])


def database(value: str) -> str:
    """Return a SQLAlchemy URL: a SQLite file, or PostgreSQL by psycopg 3. Nothing in memory: it must last."""
    scheme, _, rest = value.partition("://")
    if scheme == "sqlite" and re.fullmatch(r"/[^?#]*[^?#/]", rest) and not rest.endswith(":memory:"):
        return value
    if scheme in ("postgres", "postgresql", "postgresql+psycopg") and _POSTGRES.fullmatch(rest):
        return "postgresql+psycopg://" + rest
    raise ValueError("must be sqlite:///path/to/file.db or postgresql://user:password@host/name.")


def timezone(value: str) -> ZoneInfo:
    """Return the zone of an IANA name."""
    try:
        return ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # OSError: "Europe" is a folder of zones
        raise ValueError("must be the name of a time zone, such as Europe/Prague or UTC.") from None


def listen(value: str) -> tuple[str, int]:
    """Return (host, port); an IPv6 host is given in brackets and returned without."""
    wrong = ValueError("must be host:port, such as 127.0.0.1:8000 or [::1]:8000.")
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", value)
    if not found or not 1 <= int(found[3]) <= 65535:
        raise wrong
    try:
        return (str(ipaddress.IPv6Address(found[1])) if found[1] else found[2]), int(found[3])
    except ValueError:
        raise wrong from None


# An empty key would let anyone sign, and a short secret be guessed.
SecretKeys = Annotated[tuple[str, ...], entries(r"\S{32,}", "needs 32 characters without blanks", "key")]
WebhookSecrets = Annotated[tuple[str, ...], entries(r".{16,}", "needs 16 characters or more", "secret")]
RepositoryNames = Annotated[tuple[str, ...], entries(_REPOSITORY, "must hold owner/name", "repository")]
# It goes into a header as it is.
ApiToken = Annotated[str, matching(r"[!-~]+", "must be one word: copy it again as GitHub shows it.")]
ConfigurationSet = Annotated[
    str, matching(r"(?a)[\w-]{1,64}", "must be the name of an SES configuration set.")
]
File = Annotated[str, matching(r"[\w./@+ -]{0,4000}[\w.@+-]", "must be a path, such as data/settings.env.")]
TimeOfDay = Annotated[
    time, matching(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", "must be a time of day, such as 09:00.")
]
YesOrNo = Annotated[bool, matching(r"(?ai)(?:true|yes|on|1|false|no|off|0)", "must be true or false.")]
BranchName = Annotated[str, BeforeValidator(branch)]
CheckNames = Annotated[tuple[str, ...], BeforeValidator(check_names)]
PrivateKey = Annotated[str, BeforeValidator(private_key)]
WebAddress = Annotated[str, BeforeValidator(web_address)]
ApiAddress = Annotated[str, BeforeValidator(partial(web_address, path=True))]
PreviewAddress = Annotated[str, BeforeValidator(preview_address)]
Mailboxes = Annotated[tuple[tuple[str, str], ...], BeforeValidator(mailboxes)]
Sender = Annotated[str, BeforeValidator(sender)]
DatabaseAddress = Annotated[str, BeforeValidator(database)]
Zone = Annotated[ZoneInfo, BeforeValidator(timezone)]
Listen = Annotated[tuple[str, int], BeforeValidator(listen)]
