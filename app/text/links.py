"""Where a stranger's links lead: only to the web or to a mail, and nowhere else than they say. Pure.

Called by `markdown` and `pictures`; pages name a link's host by it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from app.text.gfm import SCHEMES

LONGEST_URL = 2_000
_HOST = re.compile(r"[a-z0-9._:-]+")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9.-]+")


def host_of(url: str) -> str:
    """Return the host of a web address, or whom a mail would go to."""
    parts = urlsplit(url)
    return parts.hostname or parts.path


@lru_cache(maxsize=1024)
def followable(url: str) -> str:
    """Return a web or mail address if it leads where it says, as a browser reads it; '' for any other."""
    try:
        parts = urlsplit(url)
        host = unquote(parts.hostname or "")
        port = f":{parts.port}" if parts.port else ""
        plain_host = host if host.isascii() else host[:253].encode("idna").decode()
    except ValueError:
        return ""
    if len(url) > LONGEST_URL or parts.scheme not in SCHEMES:
        return ""
    if parts.scheme == "mailto":
        return f"mailto:{parts.path}" if _MAILBOX.fullmatch(parts.path) else ""
    # A user name before the host is for looking like another host.
    if not _HOST.fullmatch(plain_host) or "@" in parts.netloc:
        return ""
    return url if parts.hostname == plain_host else parts._replace(netloc=f"{plain_host}{port}").geturl()
