"""Text: whatever a stranger writes, a reader sees only harmless words, and links that say where they lead."""

from __future__ import annotations

import sys
import unicodedata
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from app.text.clean import plain
from app.text.gfm import LIMIT
from app.text.markdown import rendered
from app.text.plain_text import text_of
from app.text.words import ago, checks_words, size_words, when


def markdown_html(source: str, limit: int = LIMIT) -> Markup:
    return rendered(source, limit).html


def markdown_text(source: str, limit: int = LIMIT) -> str:
    return rendered(source, limit).text


ALLOWED = {
    "p": set(),
    "a": {"href", "rel"},
    "ol": {"start"},
    **{
        tag: set()
        for tag in "br hr h3 h4 h5 h6 ul li blockquote pre code em strong s del sub sup div section details summary "
        "table thead tbody tr th td".split()
    },
}
REL = 'rel="nofollow noreferrer noopener"'
UNSEEN = "\u202e\u2066\u200b\u200d\ufeff\x07\x1b\u061c\xad\U000e0041\ud800\u3164"


class Reader(HTMLParser):
    """Reads HTML as a browser would, and objects to everything that is not on the list."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words = ""
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, f"<{tag}> is not allowed"
        assert {name for name, _ in attrs} <= ALLOWED[tag], f"{attrs} on <{tag}>"
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")
            assert dict(attrs)["rel"] == "nofollow noreferrer noopener"

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment came through: {data}")

    handle_decl = handle_pi = unknown_decl = handle_comment


def check_harmless(source: str) -> Reader:
    html = markdown_html(source)
    html.encode()
    reader = Reader(html)
    for link in reader.links:
        parts = urlsplit(link)
        assert parts.scheme in ("http", "https", "mailto")
        assert (parts.hostname or parts.path).lower() in reader.words.lower()
    for words in (html, markdown_text(source)):
        seen = [char for char in words if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cs")]
        assert not seen
        assert not set(words) & set(UNSEEN)
    return reader


# --- Nothing harmful gets through ---------------------------------------------------------------------------

pieces = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        "<script>|</script>|<img src=x onerror=y>|<svg/onload=z>|<a href=javascript:x>|<style>|<!--|-->|<![CDATA[|<?|"
        "javascript:|data:text/html,|https://evil.com|//evil.com|mailto:a@b.com?bcc=c@d.e|@|[|](|](javascript:x)|)|![|"
        "](https://t.co/p.png)|`|```\n|~~|**|_|> |- |1. |# |\n|\n\n|    |\\|&#x202e;|&#0;|&lt;script&gt;|&colon;|&#13;|"
        '"|\'|<https://|<|>|\u202e|\u200b|<p class="x" style=y>|</p>|<iframe|<br>|<details>|<b onclick=x>'.split(
            "|"
        )
    ),
)


@given(st.lists(pieces, max_size=30).map("".join))
@example("<scr\u200bipt>alert(1)</scr\u200bipt>")
@example("[x](java\u200bscript:alert(1))")
@example("&#11;&#13;&#x2028;&#x85;&#xd800;&zwj;&rlm;")
@example("[x](https://evil.com/&#x202e;)")
@example("https://evil.com\xb8")
def test_arbitrary_text_becomes_harmless(source: str) -> None:
    check_harmless(source)


@pytest.mark.parametrize(
    "source",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java&#115;cript:alert(1))",
        "[x](vbscript:x)",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](file:///etc/passwd)",
        "[x](//evil.com/x)",
        "[x](/reviews/1)",
        "[x](./docs.md)",
        "[x](#top)",
        "[x](https:evil.com)",
        "[x](https:///evil.com)",
        "[x](https://bank.com@evil.com/)",
        "[x](https://bank.com%2f@evil.com/)",
        "[x](https://bank.com\\@evil.com/)",
        "[x](https://[::1)",
        "[x](https://[::g]/)",
        "[x](https://a%00b.com/)",
        "[x](https://a.com\xb8/)",
        "[x](https://xn--a.com-/)",
        "[x](https://999.999.999.999/)",
        "[x](mailto:)",
        "[x](mailto:no-address)",
        "[x](https://a.com/" + "y" * 2000 + ")",
        '<a href="javascript:x">x</a>',
        '<a href="/x" onclick="y">x</a>',
        "<javascript:x>",
    ],
)
def test_a_link_that_may_not_be_followed_leaves_only_its_words(source: str) -> None:
    assert check_harmless(source).links == []
    assert "x" in markdown_html(source)
    assert "evil.com" not in markdown_text(source).partition("@")[0]


@pytest.mark.parametrize(
    "source",
    [
        '<script>alert("hidden")</script>',
        "<style>hidden</style>",
        "<!-- hidden -->",
        "words <!-- hidden --> words",
        '<iframe src="hidden"></iframe>',
        "<!-- hidden",
        "<?hidden?>",
        '<p title="hidden">words</p>',
        "![picture](https://t.co/p.png 'hidden')",
        "[x](https://a.com/ 'hidden')",
        "[//]: # (hidden)",
        "[comment]: <> (hidden)",
        "<details hidden=hidden>words</details>",
        "<template>hidden</template>",
        '<p style="color:hidden">words</p>',
    ],
)
def test_what_a_reader_must_not_see_is_nowhere(source: str) -> None:
    check_harmless(source)
    assert "hidden" not in markdown_html(source)
    assert "hidden" not in markdown_text(source)


def test_html_by_hand_is_shown_as_html() -> None:
    source = (
        "<details><summary>Screens &amp; more</summary>\n\n**bold** <b onclick=x>and</b> a<br>b\n\n</details>"
    )
    assert str(markdown_html(source)) == (
        "<details><summary>Screens &amp; more</summary>\n"
        "<p><strong>bold</strong> <strong>and</strong> a<br>b</p>\n</details>"
    )
    assert markdown_text(source) == "Screens & more\n\nbold and a\nb"


def test_escaped_html_stays_escaped_once() -> None:
    assert markdown_html("`<b>` & &lt;i&gt;") == "<p><code>&lt;b&gt;</code> &amp; &lt;i&gt;</p>"
    assert markdown_text("`<b>` & &lt;i&gt;") == "<b> & <i>"


def test_a_picture_becomes_a_link_with_its_words_and_its_host_and_is_never_loaded() -> None:
    assert markdown_html("![Login *page*](https://x.com/y.png)") == (
        f'<p><a href="https://x.com/y.png" {REL}>[picture: Login page]</a> (x.com)</p>'
    )
    assert markdown_text("![a](https://x.com/y.png)") == "[picture: a] (https://x.com/y.png)"
    assert "[picture: a &#34;b&#34; &gt; c]" in markdown_html(
        '<img alt="a &quot;b&quot; > c" src="https://x.com/y">'
    )
    assert markdown_text("![](y.png) <img src=x>") == "[picture] [picture]"
    for source in (
        '<img src="https://t.co/p.gif" width=1 height=1>',
        "![](https://t.co/p.gif)",
        "<video src=//t.co/p>",
    ):
        made = rendered(source)
        assert "<img" not in made.html + made.mail
        assert "src=" not in made.html + made.mail


# --- Links say where they lead ------------------------------------------------------------------------------


def test_a_link_shows_its_host_and_in_plain_text_its_address() -> None:
    source = "See [the docs](https://example.com/a?b=1&c=2)."
    assert markdown_html(source) == (
        f'<p>See <a href="https://example.com/a?b=1&amp;c=2" {REL}>the docs</a> (example.com).</p>'
    )
    assert markdown_text(source) == "See the docs (https://example.com/a?b=1&c=2)."


def test_a_host_is_shown_in_small_letters_as_browsers_show_it() -> None:
    assert "</a> (example.com)" in markdown_html("[x](https://EXAMPLE.com/A)")


@pytest.mark.parametrize("source", ["<https://example.com/a_b>", "https://example.com/a_b"])
def test_an_address_is_a_link_that_needs_no_host_beside_it(source: str) -> None:
    assert markdown_html(source) == (
        f'<p><a href="https://example.com/a_b" {REL}>https://example.com/a_b</a></p>'
    )
    assert markdown_text(source) == "https://example.com/a_b"


def test_a_bare_address_ends_before_the_sentence_does() -> None:
    assert Reader(markdown_html("(see https://a.com/x.) or **https://b.com**, https://c.com?")).links == [
        "https://a.com/x",
        "https://b.com",
        "https://c.com",
    ]


@pytest.mark.parametrize("source", ["<https://\u0430pple.com/>", "https://\u0430pple.com/"])
def test_a_host_in_letters_that_look_alike_is_named_as_it_is(source: str) -> None:
    assert "(xn--pple-43d.com)" in markdown_html(source)
    assert "(https://xn--pple-43d.com/)" in markdown_text(source)


def test_a_mail_link_carries_the_address_alone() -> None:
    source = "[write](mailto:sam@example.com?bcc=eve@example.com&body=x)"
    assert (
        markdown_html(source) == f'<p><a href="mailto:sam@example.com" {REL}>write</a> (sam@example.com)</p>'
    )
    assert markdown_text(source) == "write (sam@example.com)"


# --- What Markdown is for -----------------------------------------------------------------------------------


def test_headings_rank_below_the_page() -> None:
    html = markdown_html("# a\n## b\n### c\n#### d\n##### e\n###### f\n\ng\n===")
    assert [line[1:3] for line in html.split("\n")] == ["h3", "h4", "h5", "h6", "h6", "h6", "h3"]


def test_lists_code_quotes_and_emphasis_stay() -> None:
    source = "- a\n- b\n  1. c\n\n```py\nx = 1\n```\n\n> *q* ~~s~~\n\n---\n\n3. d"
    html = markdown_html(source)
    for part in (
        "<ul>\n<li>a</li>\n<li>b\n<ol>\n<li>c</li>",
        "<pre><code>x = 1\n</code></pre>",
        "<blockquote>\n<p><em>q</em> <del>s</del></p>",
        "<hr>",
        '<ol start="3">',
    ):
        assert part in html
    assert markdown_text(source) == "- a\n- b\n  1. c\n\n    x = 1\n\n> q ~~s~~\n\n---\n\n3. d"


@pytest.mark.parametrize("source", ["", "\n \n", "<!-- only a template -->", "\u200b"])
def test_an_empty_text_gives_nothing(source: str) -> None:
    assert markdown_html(source) == markdown_text(source) == ""


def test_the_html_is_markup_that_jinja_does_not_escape_again() -> None:
    assert isinstance(markdown_html("a"), Markup)
    assert not isinstance(markdown_text("a"), Markup)


# --- The text part of a mail, from its HTML -----------------------------------------------------------------

LAID_OUT = """\
<html><head><title>T</title><style>p { color: red }</style></head><body><div class="look">Preview&nbsp;<br>more</div>
<table role="presentation"><tr><td class="look">✓</td><td><b>QA gate</b> &nbsp;·&nbsp; #12</td></tr>
<tr><td><table role="presentation"><tr><td><span class="look">○&nbsp; </span>New</td></tr></table></td></tr>
<tr><td height="10">&nbsp;</td></tr><!--[if mso]><p>Word</p><![endif]-->
<tr><td><h1>Add gift cards</h1><p>Hi Lily,
  one &lt;b&gt; &amp; two.</p></td></tr>
<tr><td><h2><span class="look">▲&nbsp; </span>Before you start</h2><p class="point">First<br>and on</p>
<p class="point">Second</p></td></tr>
<tr><td class="words"><p>Approve:<br>https://evil.example</p><ul><li>a<ul><li>b</li></ul></li></ul>
<table><tr><th>A</th><th>B</th></tr><tr><td><p>C</p></td><td>D<br>E</td></tr></table></td></tr>
<tr><td><a class="b" href="https://gate.example.com/?a=1&amp;b=2">Approve</a></td><td>&nbsp;</td>
<td><a class="b" href="https://gate.example.com/no">Reject</a></td></tr>
<tr><td><table role="presentation"><tr><td>Size:</td><td>Small</td></tr><tr><td>Asked:</td><td>Today</td></tr></table>
<p>3 more are waiting. <a class="link" href="https://gate.example.com/">See everything</a></p></td></tr>
</table></body></html>
"""
READ = """\
QA gate · #12
New

Add gift cards

Hi Lily, one <b> & two.

Before you start
----------------

- First
  and on
- Second

> Approve:
> https://evil.example
>
> - a
>   - b
>
> A | B
> C | D E

Approve:
https://gate.example.com/?a=1&b=2

Reject:
https://gate.example.com/no

Size: Small
Asked: Today

3 more are waiting.

See everything:
https://gate.example.com/"""


def test_the_text_of_a_mail_holds_what_is_there_to_be_read_and_each_way_on_by_itself() -> None:
    assert text_of(LAID_OUT) == READ


# --- Too much of it -----------------------------------------------------------------------------------------


SAID = "The text goes on; only its beginning is shown here."


def test_a_long_text_is_cut_and_says_so() -> None:
    assert markdown_html("a" * (LIMIT + 1)) == f"<p>{'a' * LIMIT}</p>\n<p><em>{SAID}</em></p>"
    assert markdown_text("a" * (LIMIT + 1)) == f"{'a' * LIMIT}\n\n{SAID}"
    assert SAID not in markdown_html("a" * LIMIT)
    assert SAID not in markdown_text("a" * LIMIT)
    assert markdown_text("```\n" + "a" * 50, limit=6) == f"    aaaaaa\n\n{SAID}"


def test_a_text_of_too_many_parts_is_cut_and_says_so() -> None:
    made = rendered("- [ ] a\n" * 3_000)
    assert made.text.startswith("- ☐ a\n- ☐ a\n")
    assert made.text.endswith(f"\n\n{SAID}")
    assert made.html.endswith(f"</ul>\n<p><em>{SAID}</em></p>")


def test_markup_without_words_makes_no_long_mail() -> None:
    for source in ("```\n" * 9_000, "<table><td>" * 6_000, "- \n" * 15_000):
        assert len(rendered(source, 0).mail) < 10_000
        assert len(rendered(source, 1_500).mail) < 60_000


def test_of_the_selectors_of_shapes_only_those_of_emoji_stay() -> None:
    assert plain("❤\ufe0f ⚠\ufe0f\ufe0f") == "❤\ufe0f ⚠\ufe0f"
    for hidden in ("gift\ufe01s", "gi\ufe0ffts", "gifts\u200b\ufe0f", "\ufe0fgifts", "gifts\ufe0e"):
        assert plain(hidden) == "gifts"


def test_a_cut_does_not_part_a_letter_from_its_accent() -> None:
    assert markdown_text("abx\u0323\u0301", limit=3).startswith("ab\n")
    assert plain("abe\u0301\u0323 and more", 4) == "ab…"
    assert plain("abc and more", 4) == "abc…"


# --- One line, quotes, names --------------------------------------------------------------------------------


def test_plain_is_one_clean_line() -> None:
    assert plain(" Fix\r\n\tthe \u202elogin\u200b \x00now\u2028please ") == "Fix the login now please"
    assert plain("a\ud800b") == "ab"


@given(st.text(), st.integers(1, 50))
def test_plain_keeps_to_its_limit(value: str, limit: int) -> None:
    line, short = plain(value), plain(value, limit)
    assert len(short) <= limit
    assert short == line or (len(line) > limit and short.endswith("…"))
    assert short.split("\n") == [short]


def test_what_has_no_shape_is_dropped_and_nothing_else_of_its_kind() -> None:
    # Signs of Arabic, Syriac, Kaithi and Egyptian that are "format" characters, yet are seen.
    shapes = {
        *range(0x600, 0x606),
        0x6DD,
        0x70F,
        0x890,
        0x891,
        0x8E2,
        0x110BD,
        0x110CD,
        *range(0x13430, 0x13440),
    }
    kept = [
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and plain(f"a{chr(code)}b") not in ("ab", "a b")
    ]
    assert 0x600 in kept
    assert set(kept) <= shapes  # Python's own Unicode version says which of them are known


# --- Times, sizes, counts -----------------------------------------------------------------------------------

NOW = datetime(2025, 11, 24, 13, 5, tzinfo=UTC)
PRAGUE = ZoneInfo("Europe/Prague")


@pytest.mark.parametrize(
    "passed,words",
    [
        (timedelta(hours=-1), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=5, seconds=59), "5 minutes ago"),
        (timedelta(minutes=60), "1 hour ago"),
        (timedelta(hours=23, minutes=59), "23 hours ago"),
        (timedelta(hours=26), "1 day ago"),
        (timedelta(days=29), "29 days ago"),
        (timedelta(days=65), "2 months ago"),
        (timedelta(days=365), "1 year ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_ago_uses_the_largest_whole_unit(passed: timedelta, words: str) -> None:
    assert ago(NOW - passed, NOW) == words


@pytest.mark.parametrize(
    "moment,words",
    [
        (datetime(2025, 11, 24, 13, 5, tzinfo=UTC), "today at 14:05"),
        (datetime(2025, 11, 23, 23, 0, tzinfo=UTC), "today at 00:00"),
        (datetime(2025, 11, 23, 22, 59, tzinfo=UTC), "yesterday at 23:59"),
        (datetime(2025, 11, 25, 8, 0, tzinfo=UTC), "tomorrow at 09:00"),
        (datetime(2025, 11, 22, 8, 12, tzinfo=UTC), "Sat 22 Nov at 09:12"),
        (datetime(2025, 7, 1, 8, 12, tzinfo=UTC), "Tue 1 Jul at 10:12"),
        (datetime(2024, 12, 31, 23, 30, tzinfo=UTC), "Wed 1 Jan at 00:30"),
        (datetime(2024, 12, 31, 8, 12, tzinfo=UTC), "Tue 31 Dec 2024 at 09:12"),
    ],
)
def test_when_speaks_by_the_readers_calendar(moment: datetime, words: str) -> None:
    assert when(moment, PRAGUE, NOW) == words


@pytest.mark.parametrize(
    "additions,deletions,changed_files,words",
    [
        (10, 2, 2, "Small: 12 lines in 2 files"),
        (1, 0, 1, "Small: 1 line in 1 file"),
        (50, 0, 5, "Small: 50 lines in 5 files"),
        (51, 0, 5, "Medium: 51 lines in 5 files"),
        (6, 0, 6, "Medium: 6 lines in 6 files"),
        (1204, 0, 3, "Large: 1,204 lines in 3 files"),
        (1501, 0, 3, "Very large: 1,501 lines in 3 files"),
        (9, 0, 101, "Very large: 9 lines in 101 files"),
        (0, 0, 2, "Small: 2 files, no lines of text"),
        (0, 0, 0, "No files changed"),
    ],
)
def test_size_is_told_in_plain_words(additions: int, deletions: int, changed_files: int, words: str) -> None:
    assert size_words(additions + deletions, changed_files) == words


@pytest.mark.parametrize(
    "state, names, words",
    [
        ("none", (), ""),
        ("green", (), "All passed"),
        ("pending", ("build",), "Still running: build"),
        ("red", ("build", "lint", "e2e"), "Failing: build, lint, e2e"),
        ("red", ("a", "b", "c", "d", "e"), "Failing: a, b, c and 2 more"),
    ],
)
def test_checks_are_said_in_a_line(state: str, names: tuple[str, ...], words: str) -> None:
    assert checks_words(state, names) == words
