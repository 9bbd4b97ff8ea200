"""The dialect is GitHub's: bodies as programs and templates write them arrive as GitHub shows them, safe and whole."""

from __future__ import annotations

import pytest

from app.text.how_to_test import parted
from app.text.markdown import rendered

# Shortened from public pull requests; the shape is dependabot-core's own (https://github.com/dependabot/dependabot-core,
# common/lib/dependabot/pull_request_creator/message_builder).
DEPENDABOT = """Bumps [requests](https://github.com/psf/requests) from 2.31.0 to 2.32.0.
<details>
<summary>Release notes</summary>
<p><em>Sourced from <a href="https://github.com/psf/requests/releases">requests's releases</a>.</em></p>
<blockquote>
<h2>v2.32.0</h2>
<ul>
<li>Fixed an issue where <code>verify=False</code> was kept. (<a href="https://redirect.github.com/psf/requests/issues/6655">#6655</a>)</li>
<li>Dropped support for Python 3.7.</li>
</ul>
</blockquote>
<p>... (truncated)</p>
</details>
<br />

[![Dependabot compatibility score](https://dependabot-badges.githubapp.com/badges/compatibility_score?dependency-name=requests)](https://docs.github.com/en/github/managing-security-vulnerabilities)

[//]: # (dependabot-automerge-start)
[//]: # (dependabot-automerge-end)

---

<details>
<summary>Dependabot commands and options</summary>
<br />

You can trigger Dependabot actions by commenting on this PR:
- `@dependabot rebase` will rebase this PR
</details>"""
# The shape of https://docs.renovatebot.com, as in https://github.com/truenas/apps/pull/3137.
RENOVATE = """This PR contains the following updates:

| Package | Change | [Age](https://docs.renovatebot.com/merge-confidence/) | [Confidence](https://docs.renovatebot.com/merge-confidence/) |
|---|---|---|---|
| [eslint](https://eslint.org) ([source](https://redirect.github.com/eslint/eslint)) | [`9.1.0` -> `9.2.0`](https://renovatebot.com/diffs/npm/eslint/9.1.0/9.2.0) | [![age](https://developer.mend.io/api/mc/badges/age/npm/eslint/9.2.0?slim=true)](https://docs.renovatebot.com/merge-confidence/) | ![confidence](https://developer.mend.io/c.svg) |

---

### Release Notes

<details>
<summary>eslint/eslint (eslint)</summary>

### [`v9.2.0`](https://redirect.github.com/eslint/eslint/releases/tag/v9.2.0)

- feat: add `name` to configs

</details>

---

### Configuration

📅 **Schedule**: Branch creation - At any time.

 - [ ] <!-- rebase-check -->If you want to rebase/retry this PR, check this box

<!--renovate-debug:eyJjcmVhdGVkSW5WZXIiOiIzNy4zNDAuMTAifQ==-->"""


def test_a_body_by_dependabot_is_whole_and_has_no_source_in_it() -> None:
    text = rendered(DEPENDABOT).text
    assert text.startswith(
        "Bumps requests (https://github.com/psf/requests) from 2.31.0 to 2.32.0.\n\nRelease notes\n\n"
    )
    assert (
        "> v2.32.0\n>\n> - Fixed an issue where verify=False was kept. (#6655 (https://redirect.github.com/psf/requests/issues/6655))\n> - Dropped"
        in text
    )
    assert "[picture: Dependabot compatibility score] (https://docs.github.com" in text
    assert text.endswith(
        "Dependabot commands and options\n\nYou can trigger Dependabot actions by commenting on this PR:\n\n- @dependabot rebase will rebase this PR"
    )
    for source in ("<", "automerge", "](", "**"):
        assert source not in text


def test_a_body_by_renovate_is_whole_and_has_no_source_in_it() -> None:
    made = rendered(RENOVATE)
    assert "Package | Change | Age (https://docs.renovatebot.com/merge-confidence/) | Confidence" in made.text
    assert (
        "\neslint (https://eslint.org) (source (https://redirect.github.com/eslint/eslint)) | 9.1.0 -> 9.2.0 ("
        in made.text
    )
    assert "- ☐ If you want to rebase/retry this PR, check this box" in made.text
    assert made.html.count("<details>") == made.html.count("</details>") == 1
    assert made.html.count("<td>") == 4
    for source in ("renovate-debug", "rebase-check", "|---", "<summary>", "!["):
        assert source not in made.text
    assert "<img" not in made.html


@pytest.mark.parametrize(
    "source, html, text",
    [
        ("~~Delete the orders.~~", "<p><del>Delete the orders.</del></p>", "~~Delete the orders.~~"),
        (
            "<del>Delete</del> <s>the</s> <strike>orders</strike>",
            "<p><del>Delete</del> <s>the</s> <s>orders</s></p>",
            "~~Delete~~ ~~the~~ ~~orders~~",
        ),
        ("- [ ] a\n- [x] b", "<ul>\n<li>☐ a</li>\n<li>☑ b</li>\n</ul>", "- ☐ a\n- ☑ b"),
        (
            "> [!WARNING]\n> Backup first.",
            "<blockquote>\n<p><strong>Warning</strong><br>\nBackup first.</p>\n</blockquote>",
            "> Warning\n> Backup first.",
        ),
        (
            "> [!tip]\n>\n> Use tabs.",
            "<blockquote>\n<p><strong>Tip</strong></p>\n<p>Use tabs.</p>\n</blockquote>",
            "> Tip\n>\n> Use tabs.",
        ),
        ("> [!OTHER]\n> a", "<blockquote>\n<p>[!OTHER]<br>\na</p>\n</blockquote>", "> [!OTHER]\n> a"),
        ("a<br>b<br/>c", "<p>a<br>b<br>c</p>", "a\nb\nc"),
        (
            ":tada: done :nosuchsign: `:tada:`",
            "<p>🎉 done :nosuchsign: <code>:tada:</code></p>",
            "🎉 done :nosuchsign: :tada:",
        ),
        ("x<sup>2</sup> H<sub>2</sub>O", "<p>x<sup>2</sup> H<sub>2</sub>O</p>", "x^2 H2O"),
        ("<ul><li>a</li><li>b</li></ul>", "<ul><li>a</li><li>b</li></ul>", "- a\n- b"),
        ("<ol><li>a<li>b</ol>", "<ol><li>a</li><li>b</li></ol>", "1. a\n2. b"),
        ("<table><tr><td>A</td><td>B</td></tr><tr><td>C<td>D</table>", None, "A | B\nC | D"),
        ("<dl><dt>Old</dt><dd>5 €</dd></dl>", None, "Old\n\n5 €"),
        ("<center>one</center><center>two</center>", None, "one\n\ntwo"),
        (
            "<kbd>Ctrl</kbd> <b>B</b> <i>i</i>",
            "<p><code>Ctrl</code> <strong>B</strong> <em>i</em></p>",
            "Ctrl B i",
        ),
        ('<a href="https://a.com/b">c</a>', None, "c (https://a.com/b)"),
        ("www.a.com", None, "www.a.com"),
        ("Set the <title> of the page", None, "Set the <title> of the page"),
        # In small letters each İ is two signs.
        ("İİİİ <SVG>x</svg> Delete the orders.", None, "İİİİ Delete the orders."),
        ("[//]: # (hidden)\n\nseen", "<p>seen</p>", "seen"),
        ("```suggestion\nx < 1\n\ny\n```", "<pre><code>x &lt; 1\n\ny\n</code></pre>", "    x < 1\n\n    y"),
        ("1. a\n\n   b\n2. c", None, "1. a\n\n   b\n\n2. c"),
        ("| a | b |\n|---|---|\n| 1 | `2|3` |", None, None),
    ],
)
def test_what_github_understands_is_understood(source: str, html: str | None, text: str | None) -> None:
    made = rendered(source)
    if html is not None:
        assert str(made.html) == html
    if text is not None:
        assert made.text == text
    assert "[!WARNING]" not in made.mail


def test_a_mail_carries_its_styles_inline_and_folds_nothing() -> None:
    mail = rendered(
        "<details><summary>More</summary>\n\n| a |\n|---|\n| [b](https://c.de) |\n\n</details>"
    ).mail
    assert '<p style="' not in mail.partition("<strong>More</strong>")[0]
    assert "<details" not in mail
    assert '<table style="margin:0 0 12px;border-collapse:collapse;">' in mail
    assert '<td style="padding:4px 10px;' in mail
    assert '<a style="color:#0b5c6b;" href="https://c.de" rel=' in mail
    assert '>b</a><span class="look"> (c.de)</span>' in mail


# https://github.com/bsvin33t/bsvin33t and https://github.com/pondevelopment/pon-developer-guide have such templates.
@pytest.mark.parametrize(
    "template",
    [
        "### Issue link\n[Link](https://a.com)\n\n### Summary\n_What is being changed._\n\n### QA instructions\n{}\n\n### Deploy instructions\nnone\n\n---\n\n**TODO**:\n- [ ] x",
        "## Description\nGift cards.\n\n## QA Instructions, Screenshots, Recordings\n{}\n\n## Checklist before requesting a review\n- [ ] Reviewed my own code",
        "## 📲 What\n\nGift cards.\n\n## 🤔 Why\n\nSold.\n\n## 🕵️ How to test\n\n{}\n\n## Notes for release\n\nnone",
        "**Description**\nGift cards.\n\n**How to test**\n{}\n\n**Related**\n#7",
    ],
)
def test_public_templates_give_their_part_on_how_to_test(template: str) -> None:
    how, rest = parted(template.format("1. Open the cart\n2. Pay"))
    assert how.text == "1. Open the cart\n2. Pay"
    assert "Open the cart" not in rest.text
