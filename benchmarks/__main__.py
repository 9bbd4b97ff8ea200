"""Print what the gate costs, and whether that is what is promised: `make bench`. Ends with 1 where it is not."""

from __future__ import annotations

import logging
import sys

from benchmarks import (
    COMMITS,
    MANY,
    MERGED,
    life,
    release,
    unchanged_look,
    unchanged_release,
    unchanged_webhook,
)
from benchmarks.pages import page_costs

FEW_REVIEWS, MANY_REVIEWS = 100, 10_000
PAGES = ("/", "/history")


def main() -> int:
    """Measure, print, judge; return the exit status."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    plain, pushed, webhook, look = life(), life(with_a_push=True), unchanged_webhook(), unchanged_look()
    compared, big = unchanged_release(), release()
    rows = {
        "a plain life: open, mail, approve, merge": plain,
        "a life with a push after the mail": pushed,
        "a webhook that changes nothing": webhook,
        f"a look at {MANY} unchanged open pull requests": look,
        "a look at its release where nothing changed": compared,
        f"a release of {MERGED} merges, {COMMITS:,} commits": big,
    }
    print(f"{'':48}{'GitHub calls':>14}{'SQL statements':>16}{'mails':>8}")
    for what, cost in rows.items():
        print(f"{what:48}{cost.calls:14}{cost.statements:16}{cost.mails:8}")
    promises = {
        f"a plain life is at most 9 calls: {plain.calls}": plain.calls <= 9,
        f"a webhook that changes nothing is no call: {webhook.calls}": webhook.calls == 0,
        f"and at most 3 statements: {webhook.statements}": webhook.statements <= 3,
        f"a look where nothing changed is answered 304: {look.answers}": look.answers == (304,),
        f"so is the one at its release: {compared.answers}": compared.answers == (304,),
        f"a release of that size is at most 34 calls: {big.calls}": big.calls <= 34,
    }
    promises |= pages()
    print()
    for promise, is_kept in promises.items():
        print(f"{'OK' if is_kept else 'NOT OK':8}{promise}")
    return 0 if all(promises.values()) else 1


def pages() -> dict[str, bool]:
    """Print what the pages cost with few and with many reviews; return what is promised of that."""
    few, many = page_costs(FEW_REVIEWS, PAGES), page_costs(MANY_REVIEWS, PAGES)
    print(f"\n{'':48}{'reviews':>14}{'SQL statements':>16}{'ms':>8}")
    promises = {}
    for path in PAGES:
        for count, cost in ((FEW_REVIEWS, few[path]), (MANY_REVIEWS, many[path])):
            print(f"GET {path:44}{count:14,}{cost.statements:16}{cost.seconds * 1000:8.1f}")
        ratio = many[path].seconds / few[path].seconds
        is_same = many[path].statements == few[path].statements
        promises[f"GET {path} takes the same statements with many reviews: {many[path].statements}"] = is_same
        promises[f"and at most twice the time: {ratio:.2f}"] = ratio <= 2
    return promises


if __name__ == "__main__":
    sys.exit(main())
