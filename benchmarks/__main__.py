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
from benchmarks.pictures import while_working_on_pictures
from benchmarks.times import times

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
        f"and no statement but its INSERT, by the driver: {webhook.statements}": webhook.statements == 0,
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
    """Measure real processes, print a table for the README, and return what is promised of it.

    Memory is resident memory: what processes share is counted for each of them; beside it, once (PSS).
    """
    with TemporaryDirectory(prefix="qa-gate-") as place:
        apart, beside = intake(Path(place, "apart"), "none"), intake(Path(place, "beside"), "embedded")
        seconds, small, large = start(Path(place, "start"))
        answered, lost = burst(Path(place, "burst"))
        own = times(Path(place, "times"))
        before, pictured = while_working_on_pictures(Path(place, "pictures"))
    p99, ratios = apart.p99 * 1000, (apart.ratio, beside.ratio)
    mail, merge = own.to_mail * 1000, own.to_merge * 1000
    rows = [
        (
            "webhooks a second, the worker apart, and as a part of bare Flask",
            "0.22",
            f"{apart.gate:,.0f}, {ratios[0]:.2f}",
        ),
        ("the same, the worker running", "0.15", f"{beside.gate:,.0f}, {ratios[1]:.2f}"),
        ("99 of 100 webhooks are answered within", "40 ms", f"{p99:.0f} ms"),
        (
            "1,000 webhooks at once are answered within; lost by `kill -9`",
            "10 s; none",
            f"{answered:.1f} s; {lost or 'none'}",
        ),
        ("the first answer after a start", "2 s", f"{seconds:.1f} s"),
        (
            "memory of all processes, after 10,000 webhooks; what they share counted once",
            "160 MB",
            f"{large.resident / 1e6:.0f}; {large.shared / 1e6:.0f} MB",
        ),
        (
            "the same while pictures are worked on, shared counted once; before",
            "200 MB",
            f"{pictured.resident / 1e6:.0f}; {pictured.shared / 1e6:.0f} MB; {before.resident / 1e6:.0f}; {before.shared / 1e6:.0f}",
        ),
        ("from a webhook to the mail handed to SES, the gate's own time", "80 ms", f"{mail:.0f} ms"),
        ("from a click to the merge call, the gate's own time", "60 ms", f"{merge:.0f} ms"),
    ]
    print("\n| | promised | measured |\n|---|---|---|")
    for what, promised, measured in rows:
        print(f"| {what} | {promised} | {measured} |")
    return {
        f"webhooks are taken in at 0.22 of bare Flask's speed, the worker apart: {ratios[0]:.3f}": ratios[0]
        >= 0.22,
        f"and at 0.15 with it running: {ratios[1]:.3f}": ratios[1] >= 0.15,
        f"99 of 100 are answered in 40 ms, the worker apart: {p99:.1f}": p99 < 40,
        f"the first answer comes within 2 s: {seconds:.2f}": seconds <= 2,
        f"the processes have at most 160 MB: {small.resident // 10**6}, after 10,000 webhooks {large.resident // 10**6}": large.resident
        <= 160e6,
        f"and 40 MB more while pictures are worked on, what they share counted once: {pictured.shared // 10**6}": pictured.shared
        <= 200e6,
        f"1,000 deliveries at once are answered in 10 s: {answered:.1f}": answered <= 10,
        f"and none is lost by kill -9: {lost}": lost == 0,
        f"from a webhook to the mail the gate takes 80 ms: {mail:.0f}, with GitHub {own.to_mail_with_calls * 1000:.0f}": mail
        <= 80,
        f"from a click to the merge call 60 ms: {merge:.0f}, with GitHub {own.to_merge_with_calls * 1000:.0f}": merge
        <= 60,
    }


if __name__ == "__main__":
    sys.exit(main())
