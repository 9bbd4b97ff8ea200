"""What is in acme/shop: a tea shop of one page, and the changes that its developers propose.

Used by `desk`, which turns an example into commits. Texts only; each example changes other lines than the rest,
and its rival the same lines as itself, so that what clashes is known.
"""

from __future__ import annotations

from dataclasses import dataclass

PAGE = "site/index.html"
STYLE = "site/style.css"
PRICES = "prices.py"


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `old` by `new` in a file; without `old`, the file is new."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Push:
    """One commit: its message, who makes it, and what it edits."""

    message: str
    author: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A pull request that might be opened: `first` is its commit, `then` a later one, `rival` clashes with it."""

    branch: str
    title: str
    body: str
    first: Push
    then: Push
    rival: Push

    @property
    def author(self) -> str:
        """Return who opens it."""
        return self.first.author

    @property
    def paths(self) -> list[str]:
        """Return the files that it changes."""
        return [edit.path for edit in self.first.edits]


README = "# Acme Tea\n\nThe shop. `python -m http.server --directory site` shows it.\n"
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>Acme Tea</title>
  <link rel="stylesheet" href="style.css">
</head>
<body>
<header>
  <h1>Acme Tea</h1>
  <p>Leaves from small gardens, in small bags.</p>
</header>
<main>
  <h2>Teas</h2>
  <ul class="goods">
    <li><span>Green morning</span> <b>6.50</b></li>
    <li><span>Smoky evening</span> <b>9.20</b></li>
    <li><span>Quiet night</span> <b>7.80</b></li>
  </ul>

  <h2>Gifts</h2>
  <p>Gift boxes come back in November.</p>

  <h2>Delivery</h2>
  <p>Three days, for 4.90.</p>
</main>
<footer>
  <p>Questions? hello@tea.example</p>
</footer>
</body>
</html>
"""
_STYLE = """\
body { margin: 0 auto; max-width: 34rem; padding: 1rem; font: 17px/1.5 system-ui, sans-serif; }
body { background: #fbfaf5; color: #26332b; }

h1 { margin: 0; color: #2f6b4a; }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem; }
.goods { margin: 0; padding: 0; list-style: none; }
.goods li { display: flex; justify-content: space-between; padding: .5rem 0; border-bottom: 1px solid #8884; }
footer { margin-top: 3rem; opacity: .8; }
"""
_PRICES = '''\
"""What things cost, in euros."""

TEAS = {
    "Green morning": 6.50,
    "Smoky evening": 9.20,
    "Quiet night": 7.80,
}

GIFT_CARDS: tuple[int, ...] = ()

DELIVERY = 4.90


def delivery(total: float) -> float:
    """Return what it costs to send goods of this worth."""
    return DELIVERY
'''
FIRST = {"README.md": README}
LATER = (
    Push("A page for the teas", "sam", (Edit(PAGE, "", _PAGE), Edit(STYLE, "", _STYLE))),
    Push("Keep the prices in one place", "kim", (Edit(PRICES, "", _PRICES),)),
)

_GIFTS = "  <p>Gift boxes come back in November.</p>\n"
_CARDS = """\
  <ul class="goods">
    <li><span>Gift card, small</span> <b>25.00</b></li>
    <li><span>Gift card, large</span> <b>50.00</b></li>
  </ul>
"""
_DELIVERY = "  <p>Three days, for 4.90.</p>\n"
_FREE = "  <p>Three days, for 4.90. From 50.00 on, delivery is free.</p>\n"
_DAY = "body { background: #fbfaf5; color: #26332b; }\n"
_NIGHT = """\
:root { color-scheme: light dark; }
body { background: light-dark(#fbfaf5, #17201b); color: light-dark(#26332b, #dfe8e2); }
"""
_HELLO = "  <p>Questions? hello@tea.example</p>\n"
_HOURS = "  <p>Questions? hello@tea.example, answered from 9 to 17 on working days.</p>\n"
_PRICE = "<li><span>Smoky evening</span> <b>9.20</b></li>"
_NEW_PRICE = "<li><span>Smoky evening</span> <b>9.60</b></li>"

EXAMPLES = (
    Example(
        "gift-cards",
        "Add gift cards",
        "People ask for a present that always fits.\n\n"
        "**How to try it**\n\n"
        "1. Open the shop and go to *Gifts*\n"
        "2. There are two cards now, for 25 and for 50\n"
        "3. They should look right on a phone, too\n",
        Push(
            "Add gift cards for 25 and 50",
            "sam",
            (
                Edit(PAGE, _GIFTS, _CARDS),
                Edit(PRICES, "GIFT_CARDS: tuple[int, ...] = ()", "GIFT_CARDS = (25, 50)"),
            ),
        ),
        Push(
            "Say how long a gift card is valid",
            "sam",
            (
                Edit(
                    PAGE,
                    "<span>Gift card, large</span>",
                    "<span>Gift card, large (valid for three years)</span>",
                ),
            ),
        ),
        Push(
            "Gift boxes are back already",
            "kim",
            (Edit(PAGE, _GIFTS, "  <p>Gift boxes are back: four teas for 24.00.</p>\n"),),
        ),
    ),
    Example(
        "free-delivery",
        "Free delivery from 50",
        "Carts of 45 are left behind more often than carts of 55, so this should pay for itself.\n\n"
        "**How to try it**\n\n"
        "- *Delivery* names the new limit\n"
        "- 49.99 still costs 4.90, and 50.00 costs nothing\n",
        Push(
            "Deliver for free from 50",
            "kim",
            (
                Edit(PAGE, _DELIVERY, _FREE),
                Edit(PRICES, "    return DELIVERY\n", "    return 0.0 if total >= 50 else DELIVERY\n"),
            ),
        ),
        Push(
            "Say that free delivery is for Europe only",
            "kim",
            (Edit(PAGE, "on, delivery is free.", "on, delivery within Europe is free."),),
        ),
        Push("Deliver in two days", "sam", (Edit(PAGE, _DELIVERY, "  <p>Two days, for 4.90.</p>\n"),)),
    ),
    Example(
        "night-colours",
        "Be kind to eyes at night",
        "When a phone is set to dark, the shop is dark as well.\n\n"
        "**How to try it:** switch your phone to dark and open the shop.\n",
        Push("Dark colours at night", "sam", (Edit(STYLE, _DAY, _NIGHT),)),
        Push("A little more contrast at night", "sam", (Edit(STYLE, "#dfe8e2", "#eef4f0"),)),
        Push("Whiter paper", "kim", (Edit(STYLE, "#fbfaf5", "#ffffff"),)),
    ),
    Example(
        "smoky-price",
        "Update the price of Smoky evening",
        "The supplier raised the price. Only the number changes.\n",
        Push(
            "Smoky evening costs 9.60",
            "shop-bot",
            (Edit(PAGE, _PRICE, _NEW_PRICE), Edit(PRICES, '"Smoky evening": 9.20', '"Smoky evening": 9.60')),
        ),
        Push(
            "Smoky evening costs 9.50 after all",
            "kim",
            (Edit(PAGE, "9.60", "9.50"), Edit(PRICES, "9.60", "9.50")),
        ),
        Push("Smoky evening is on sale", "sam", (Edit(PAGE, _PRICE, _PRICE.replace("9.20", "7.90")),)),
    ),
    Example(
        "opening-hours",
        "Show when we answer",
        "Half of the emails we get at night ask if anyone is there.\n\n"
        "**How to try it:** scroll down to the very end of the shop.\n",
        Push("Show when we answer", "kim", (Edit(PAGE, _HELLO, _HOURS),)),
        Push("Answer until 18", "kim", (Edit(PAGE, "from 9 to 17", "from 9 to 18"),)),
        Push(
            "Use the new email address",
            "sam",
            (Edit(PAGE, _HELLO, "  <p>Questions? tea@acme.example</p>\n"),),
        ),
    ),
)

_MONTHLY = ("Mint and snow", "First flush", "Roasted rice", "Orange peel", "White peony")


def example(number: int) -> Example:
    """Return the example of a number, from 0 on; there is always another one."""
    if number < len(EXAMPLES):
        return EXAMPLES[number]
    turn = number - len(EXAMPLES)
    name, path = _MONTHLY[turn % len(_MONTHLY)], f"site/month-{turn + 1}.html"
    title = f"Tea of the month {turn + 1}: {name}"
    author = ("kim", "sam")[turn % 2]  # of one author's changes, only five come by themselves in an hour
    return Example(
        f"month-{turn + 1}",
        title,
        f"The page of the next tea of the month, *{name}*.\n",
        Push(title, author, (Edit(path, "", f"<!doctype html>\n<title>{name}</title>\n<h1>{name}</h1>\n"),)),
        Push("Praise it a little more", author, (Edit(path, "</h1>\n", "</h1>\n<p>A cup of calm.</p>\n"),)),
        Push(
            "A page for the month", "shop-bot", (Edit(path, "", "<!doctype html>\n<h1>Coming soon</h1>\n"),)
        ),
    )


def another(branch: str, author: str, turn: int) -> Push:
    """Return one more commit for a branch whose `then` was pushed already; `turn` counts from 1."""
    return Push(
        _NOTES[turn % len(_NOTES)],
        author,
        (Edit(f"notes/{branch}-{turn}.md", "", f"# {_NOTES[turn % len(_NOTES)]}\n\nTime number {turn}.\n"),),
    )


_NOTES = ("Note what Lily said", "Note what was tried", "Note how it looks on a phone")
