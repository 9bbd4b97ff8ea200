"""Play lives for ten minutes, or as long as said, and print what was broken: `make soak`. Ends with 1 where anything was.

SQLite with one gate and PostgreSQL with three are played side by side. The same seed makes the same choices; what comes
of them depends on this machine's own time as well.
"""

from __future__ import annotations

import argparse
import secrets
import sys
from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.soak.lives import KINDS, end_in_peace, play, told


def main() -> int:
    """Play as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="whose choices (any)")
    parser.add_argument("--database", choices=[*KINDS, "both"], default="both", help="which gates (both)")
    options = parser.parse_args()
    kinds = KINDS if options.database == "both" else (options.database,)
    folder = Path(mkdtemp(prefix="qa-gate-soak-"))
    print(f"seed {options.seed}; logs in {folder}", flush=True)
    end_in_peace()
    with get_context("spawn").Pool(len(kinds), end_in_peace) as pool:
        seconds = options.minutes * 60
        played = pool.starmap(play, [(kind, options.seed, seconds, folder) for kind in kinds])
        pool.close()
        pool.join()
    verdicts = [verdict for one in played for verdict in one]
    counts: Counter[str] = sum((verdict.counts for verdict in verdicts), Counter())
    violations = [words for verdict in verdicts for words in verdict.violations]
    print(f"\n{len(verdicts)} lives: {told(counts)}\n{len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
