"""Sign and read the links in mails and on statuses, and mark the gate's own comments: opaque ids, one salt a purpose.

Called by `jobs` and `mail` to write links and markers, by `web` to read links. It must never decide anything, look
anything up, or read a clock: whether what a link speaks of still stands is for the caller to find out.

    BadLink             not ours, changed, cut, for another purpose, or signed with a key no longer in use
    +-- ExpiredLink     ours, but too old: .link is verified and says what it was about
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, NamedTuple, TypeVar

from itsdangerous import (
    BadData,
    Signer,
    TimestampSigner,
    URLSafeSerializer,
    URLSafeTimedSerializer,
)
from itsdangerous.encoding import base64_decode, base64_encode
from pydantic import Field, TypeAdapter, ValidationError

from app.domain.approval import Choice
from app.domain.review import Review

LONGEST = 512
# So many hexadecimal digits of its signature make a marker that nobody guesses.
MARK_DIGITS = 32
# Five are sent an hour to an address, whoever asks: so long the newest one must let its reader in.
SIGN_IN_LASTS = timedelta(hours=1)
_TOKEN = re.compile(r"[A-Za-z0-9_.-]+")
_SIGNING: dict[str, Any] = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}

_Nonce = Annotated[str, Field(pattern="^[0-9a-f]{24}$")]
_ReviewerId = Annotated[str, Field(pattern="^[0-9a-f]{12}$")]
_Id = Annotated[int, Field(strict=True, ge=1, le=2**63 - 1)]  # the largest is what a database's BIGINT holds


class DecideLink(NamedTuple):
    """A question to one reviewer about one round, by the round's nonce; the choice merely preselects.

    Where nobody knows the nonce, after a backup was restored, repository id and number still lead to the change.
    """

    nonce: _Nonce
    repository_id: _Id
    number: _Id
    reviewer: _ReviewerId
    choice: Choice


class SignInLink(NamedTuple):
    """A way in for one reviewer; `nonce` is that of the mail that carried it, so that it can be used up."""

    nonce: _Nonce
    reviewer: _ReviewerId


_Link = TypeVar("_Link")
# What is signed, and when; a details link has no time.
_DECIDE, _SIGN_IN = TypeAdapter(tuple[DecideLink, datetime]), TypeAdapter(tuple[SignInLink, datetime])
_DETAILS: TypeAdapter[tuple[str]] = TypeAdapter(tuple[_Nonce])


class BadLink(Exception):
    """A link that authorises nothing."""


class ExpiredLink(BadLink):
    """A link of ours that is too old; what it carries was verified."""

    def __init__(self, link: Any) -> None:
        super().__init__("This link is too old.")
        self.link = link


class _SignedAt(TimestampSigner):
    """itsdangerous' signer with the time as an argument."""

    def __init__(self, *args: Any, moment: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self._moment = moment

    def get_timestamp(self) -> int:
        return self._moment


class Links:
    """Writes and reads links of one gate; `keys` come newest first, and only the newest one signs."""

    def __init__(self, keys: Sequence[str], public_url: str, link_days: int) -> None:
        # itsdangerous signs with an empty key, too: then anyone could.
        if isinstance(keys, str) or not keys or not all(key.strip() for key in keys):
            raise ValueError("links need a list of keys, none of them empty")
        self._keys = list(reversed(keys))  # itsdangerous signs with the last one
        self._public_url = public_url
        self._link_lasts = timedelta(days=link_days)

    def decide_url(self, link: DecideLink, now: datetime) -> str:
        """Return the address of the page where this round can be decided."""
        return f"{self._public_url}/decide/{self._timed('decide', now).dumps(link)}"

    def read_decide(self, token: str, now: datetime) -> DecideLink:
        """Return what a decide link says. Raises BadLink; ExpiredLink once it is older than `link_days`."""
        return self._read("decide", _DECIDE, token, now, self._link_lasts)

    def sign_in_url(self, link: SignInLink, now: datetime) -> str:
        """Return the address of the page where this reviewer can sign in."""
        return f"{self._public_url}/sign-in/{self._timed('sign-in', now).dumps(link)}"

    def read_sign_in(self, token: str, now: datetime) -> SignInLink:
        """Return what a sign-in link says. Raises BadLink; ExpiredLink once it is older than an hour."""
        return self._read("sign-in", _SIGN_IN, token, now, SIGN_IN_LASTS)

    def details_url(self, nonce: str) -> str:
        """Return the address of a review's read-only page, by its nonce: always the same one, and without an end."""
        return f"{self._public_url}/status/{self._lasting('status').dumps([nonce])}"

    def read_details(self, token: str) -> str:
        """Return the nonce of the review that a details link is about. Raises BadLink."""
        return _verified(token, self._lasting("status").loads, _DETAILS)[0]

    def markers(self, about: str) -> list[str]:
        """Return the hidden comments that mark the gate's words about something, one a key; the first is to be written.

        Nobody else can write one before the gate has, so what bears one of them first is the gate's own.
        """
        signers = (Signer(key, salt="qa-gate/marker", **_SIGNING) for key in reversed(self._keys))
        marks = (base64_decode(signer.get_signature(about)).hex()[:MARK_DIGITS] for signer in signers)
        return [f"<!-- qa-gate {about} {mark} -->" for mark in marks]

    def _read(
        self,
        purpose: str,
        kind: TypeAdapter[tuple[_Link, datetime]],
        token: str,
        now: datetime,
        lasts: timedelta,
    ) -> _Link:
        """Return what a link says.

        Its age is not left to itsdangerous, which would call a link from a clock that runs a little ahead expired.
        """
        loads = partial(self._timed(purpose, now).loads, return_timestamp=True)
        link, signed_at = _verified(token, loads, kind)
        if signed_at < now - lasts:
            raise ExpiredLink(link)
        return link

    def _timed(self, purpose: str, now: datetime) -> URLSafeTimedSerializer:
        options = {**_SIGNING, "moment": int(now.timestamp())}
        return URLSafeTimedSerializer(
            self._keys, salt=f"qa-gate/{purpose}", signer=_SignedAt, signer_kwargs=options
        )

    def _lasting(self, purpose: str) -> URLSafeSerializer:
        return URLSafeSerializer(self._keys, salt=f"qa-gate/{purpose}", signer_kwargs=_SIGNING)


def _verified(token: str, loads: Callable[[str], Any], kind: TypeAdapter[_Link]) -> _Link:
    """Return what was signed, if links of this kind hold such."""
    if len(token) > LONGEST or not _TOKEN.fullmatch(token):
        raise BadLink("A link is at most 512 plain characters.")
    signature = token.rpartition(".")[2]
    try:
        # Several last characters of a signature decode to the same bytes; one link is to be one string.
        if base64_encode(base64_decode(signature)) == signature.encode():
            return kind.validate_python(loads(token))
    except (BadData, RecursionError, ValidationError):
        pass
    raise BadLink("A link must be written and signed by us.")


def decide_link(row: Review, reviewer_id: str, choice: Choice = Choice.APPROVE) -> DecideLink:
    """Return the link to the current round of a review."""
    return DecideLink(row.round_nonce, row.repository_id, row.number, reviewer_id, choice)
