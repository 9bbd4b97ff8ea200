"""Print what the gate costs, and whether that is what is promised: `make bench`. Ends with 1 where it is not."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

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
from benchmarks.intake import burst, intake, start
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
    promises |= speed()
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


def speed() -> dict[str, bool]:
    """Print how webhooks are taken in, by real processes; return what is promised of that."""
    with TemporaryDirectory(prefix="qa-gate-") as place:
        apart, beside = intake(Path(place, "apart"), "none"), intake(Path(place, "beside"), "embedded")
        seconds, small, large = start(Path(place, "start"))
        answered, lost = burst(Path(place, "burst"))
    print(f"\n{'':48}{'a second':>14}{'bare Flask':>16}{'p99 ms':>8}")
    for what, one in (("webhooks, the worker apart", apart), ("webhooks, the worker running", beside)):
        print(f"{what:48}{one.gate:14,.0f}{one.bare:16,.0f}{one.p99 * 1000:8.1f}")
    megabytes = small // 10**6, large // 10**6
    return {
        f"webhooks are taken in at 0.22 of bare Flask's speed, the worker apart: {apart.ratio:.3f}": apart.ratio
        >= 0.22,
        f"and at 0.15 with it running: {beside.ratio:.3f}": beside.ratio >= 0.15,
        f"99 of 100 are answered in 40 ms, the worker apart: {apart.p99 * 1000:.1f}": apart.p99 < 0.04,
        f"the first answer comes within 2 s: {seconds:.2f}": seconds <= 2,
        f"the processes have at most 160 MB: {megabytes[0]}, after 10,000 webhooks {megabytes[1]}": large
        <= 160e6,
        f"1,000 deliveries at once are answered in 10 s: {answered:.1f}": answered <= 10,
        f"and none is lost by kill -9: {lost}": lost == 0,
    }


if __name__ == "__main__":
    sys.exit(main())
