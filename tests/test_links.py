"""Links: only ours are read, each for its own purpose and time, and a link is exactly one string."""

from __future__ import annotations

import base64
import hashlib
import re
import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer, TimestampSigner, URLSafeSerializer, URLSafeTimedSerializer

from app.domain.approval import Choice
from app.domain.policy import Reviewer
from app.links import LONGEST, BadLink, DecideLink, ExpiredLink, Links, SignInLink

NOW = datetime(2025, 11, 24, 9, 30, tzinfo=UTC)
LILY = Reviewer("Lily", "lily@example.com").id
KEY, OLD_KEY = "k" * 40, "o" * 40
PUBLIC_URL = "https://gate.example.com"
NONCE = "3f9c04a1b7e2d85566ab01ce"
QUESTION = DecideLink(nonce=NONCE, repository_id=7, number=2, reviewer=LILY, choice=Choice.APPROVE)
WAY_IN = SignInLink(nonce=NONCE, reviewer=LILY)
ALPHABET = string.ascii_letters + string.digits + "-_."

links = Links([KEY], PUBLIC_URL, link_days=30)


def token_of(url: str) -> str:
    return url.rpartition("/")[2]


def forge(payload: Any, purpose: str = "decide", at: datetime = NOW) -> str:
    """Sign any payload with the real key, as a gate of another version might have done."""

    class At(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(at.timestamp())

    timed = purpose != "status"
    serializer = (URLSafeTimedSerializer if timed else URLSafeSerializer)(
        KEY,
        salt=f"qa-gate/{purpose}",
        signer=At if timed else Signer,
        signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"},
    )
    return str(serializer.dumps(payload))


ids = st.integers(1, 2**63 - 1)
nonces = st.text("0123456789abcdef", min_size=24, max_size=24)
reviewers = st.text("0123456789abcdef", min_size=12, max_size=12)


@given(st.builds(DecideLink, nonces, ids, ids, reviewers, st.sampled_from(Choice)))
def test_a_decide_link_says_what_was_put_into_it(link: DecideLink) -> None:
    url = links.decide_url(link, NOW)
    assert url.startswith(f"{PUBLIC_URL}/decide/")
    assert set(token_of(url)) <= set(ALPHABET)
    assert len(url) < 200
    assert links.read_decide(token_of(url), NOW) == link


@given(st.builds(SignInLink, nonces, reviewers))
def test_a_sign_in_link_says_what_was_put_into_it(link: SignInLink) -> None:
    url = links.sign_in_url(link, NOW)
    assert url.startswith(f"{PUBLIC_URL}/sign-in/")
    assert links.read_sign_in(token_of(url), NOW) == link


@given(nonces)
def test_a_details_link_is_always_the_same_one(review: str) -> None:
    url = links.details_url(review)
    assert url.startswith(f"{PUBLIC_URL}/status/")
    assert url == links.details_url(review)
    assert links.read_details(token_of(url)) == review


READERS = [
    (token_of(links.decide_url(QUESTION, NOW)), lambda token: links.read_decide(token, NOW)),
    (token_of(links.sign_in_url(WAY_IN, NOW)), lambda token: links.read_sign_in(token, NOW)),
    (token_of(links.details_url(NONCE)), links.read_details),
]


@pytest.mark.parametrize("token,read", READERS, ids=["decide", "sign-in", "status"])
def test_no_character_can_be_changed(token: str, read: Any) -> None:
    read(token)
    for place, real in enumerate(token):
        for other in ALPHABET:
            if other != real:
                with pytest.raises(BadLink):
                    read(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("token,read", READERS, ids=["decide", "sign-in", "status"])
def test_nothing_can_be_cut_off_or_added(token: str, read: Any) -> None:
    for place in range(len(token)):
        for changed in (token[:place], token[place + 1 :], token[:place] + token[place + 1 :]):
            with pytest.raises(BadLink):
                read(changed)
    for more in ("A", "=", "==", ".", " ", "\n", "\0", "%", "é", "\ud800", "٣"):
        for changed in (token + more, more + token, token[:-5] + more + token[-5:]):
            with pytest.raises(BadLink):
                read(changed)


def test_the_same_signature_written_otherwise_is_refused() -> None:
    token = token_of(links.decide_url(QUESTION, NOW))
    signature = base64.urlsafe_b64decode(token.rpartition(".")[2] + "=")
    twins = [token[:-1] + last for last in ALPHABET[:-1] if last != token[-1]]
    same = [twin for twin in twins if base64.urlsafe_b64decode(twin.rpartition(".")[2] + "=") == signature]
    assert same, "this test needs a signature that can be written in two ways"
    for twin in same:
        with pytest.raises(BadLink):
            links.read_decide(twin, NOW)


def test_a_link_is_good_for_its_own_purpose_only() -> None:
    for place, (token, _) in enumerate(READERS):
        for other, (_, read) in enumerate(READERS):
            if place != other:
                with pytest.raises(BadLink):
                    read(token)


def test_a_decide_link_expires_to_the_second_and_still_says_what_it_was_about() -> None:
    token = token_of(links.decide_url(QUESTION, NOW))
    end = NOW + timedelta(days=30)
    assert links.read_decide(token, end) == QUESTION
    with pytest.raises(ExpiredLink) as caught:
        links.read_decide(token, end + timedelta(seconds=1))
    assert caught.value.link == QUESTION


def test_a_sign_in_link_lasts_an_hour() -> None:
    token = token_of(links.sign_in_url(WAY_IN, NOW))
    assert links.read_sign_in(token, NOW + timedelta(hours=1)) == WAY_IN
    with pytest.raises(ExpiredLink) as caught:
        links.read_sign_in(token, NOW + timedelta(hours=1, seconds=1))
    assert caught.value.link == WAY_IN


def test_a_forged_old_link_is_bad_and_not_merely_expired() -> None:
    stranger = Links(["s" * 40], PUBLIC_URL, link_days=30)
    token = token_of(stranger.decide_url(QUESTION, NOW - timedelta(days=365)))
    with pytest.raises(BadLink) as caught:
        links.read_decide(token, NOW)
    assert not isinstance(caught.value, ExpiredLink)


def test_a_link_from_a_clock_that_runs_ahead_is_read() -> None:
    token = token_of(links.decide_url(QUESTION, NOW + timedelta(seconds=30)))
    assert links.read_decide(token, NOW) == QUESTION


def test_an_old_key_still_verifies_and_the_newest_signs() -> None:
    before = Links([OLD_KEY], PUBLIC_URL, link_days=30)
    rotated = Links([KEY, OLD_KEY], PUBLIC_URL, link_days=30)
    old = token_of(before.decide_url(QUESTION, NOW))
    new = token_of(rotated.decide_url(QUESTION, NOW))
    assert rotated.read_decide(old, NOW) == QUESTION
    assert links.read_decide(new, NOW) == QUESTION
    with pytest.raises(BadLink):
        before.read_decide(new, NOW)
    with pytest.raises(BadLink):
        links.read_decide(old, NOW)


@pytest.mark.parametrize("keys", [[], [""], [" "], [KEY, ""], ["", KEY], KEY, ""])
def test_an_empty_key_is_refused(keys: Any) -> None:
    with pytest.raises(ValueError, match="none of them empty"):
        Links(keys, PUBLIC_URL, link_days=30)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        7,
        "text",
        {},
        [],
        [NONCE, 7, 2, LILY],
        [NONCE, 7, 2, LILY, "approve", 1],
        [7, 7, 2, LILY, "approve"],
        [NONCE.upper(), 7, 2, LILY, "approve"],
        [NONCE + "0", 7, 2, LILY, "approve"],
        [NONCE, True, 2, LILY, "approve"],
        [NONCE, 7, 2.0, LILY, "approve"],
        [NONCE, 0, 2, LILY, "approve"],
        [NONCE, 7, -1, LILY, "approve"],
        [NONCE, 7, 2**63, LILY, "approve"],
        [NONCE, 7, 2, LILY.upper() + "X", "approve"],
        [NONCE, 7, 2, LILY + "\n", "approve"],
        [NONCE, 7, 2, None, "approve"],
        [NONCE, 7, 2, LILY, "merge"],
        [NONCE, 7, 2, LILY, None],
        [NONCE, 7, 2, LILY, ["approve"]],
        [NONCE, 7, 2, LILY, {}],
    ],
)
def test_a_payload_of_another_shape_is_refused_although_it_is_signed(payload: Any) -> None:
    with pytest.raises(BadLink):
        links.read_decide(forge(payload), NOW)


def test_other_purposes_check_their_shape_too() -> None:
    for payload in ([NONCE], [NONCE, LILY, 2], [1, LILY], [NONCE, "lily"], ["0", LILY], {"nonce": NONCE}):
        with pytest.raises(BadLink):
            links.read_sign_in(forge(payload, "sign-in"), NOW)
    for payload in ([], [NONCE, 2], ["1"], [0], [True], NONCE, {"nonce": NONCE}):
        with pytest.raises(BadLink):
            links.read_details(forge(payload, "status"))


def test_a_long_token_is_refused_even_when_it_is_signed() -> None:
    # Random, so that itsdangerous cannot pack it.
    noise = hashlib.shake_256(b"noise").hexdigest(300)
    token = forge([NONCE, 7, 2, LILY, noise])
    assert len(token) > LONGEST
    with pytest.raises(BadLink, match="512"):
        links.read_decide(token, NOW)


@given(st.text(max_size=600))
def test_arbitrary_text_is_a_bad_link_and_nothing_worse(text: str) -> None:
    for _, read in READERS:
        with pytest.raises(BadLink):
            read(text)


def test_a_link_shows_neither_address_nor_name() -> None:
    token = token_of(links.decide_url(QUESTION, NOW))
    readable = base64.urlsafe_b64decode(token.partition(".")[0] + "==")
    assert readable == f'["{NONCE}",7,2,"{LILY}","approve"]'.encode()


def test_a_marker_is_one_for_each_thing_and_nobody_guesses_it() -> None:
    (marker,) = links.markers("7 held")
    assert re.fullmatch(r"<!-- qa-gate 7 held [0-9a-f]{32} -->", marker)
    assert links.markers("7 held") == [marker]
    assert marker not in links.markers("7.1.1") + Links([OLD_KEY], PUBLIC_URL, 30).markers("7 held")


def test_a_marker_of_an_older_key_is_still_known() -> None:
    rotated = Links([KEY, OLD_KEY], PUBLIC_URL, 30)
    assert rotated.markers("7 held") == [
        *links.markers("7 held"),
        *Links([OLD_KEY], PUBLIC_URL, 30).markers("7 held"),
    ]
