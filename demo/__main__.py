"""`python -m demo`: try the gate on this machine, with no account anywhere. `make demo` runs it.

Starts everything, prints one address, and ends everything on Ctrl-C; with --auto it plays the story by itself.
Exit code 0: all went well; 1: it did not, and it says why.
"""

from __future__ import annotations

import argparse
import signal
import sys
from types import FrameType

from demo import story
from demo.world import GateStopped, World, running

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the demo as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="Try the gate on this machine.")
    parser.add_argument("--auto", action="store_true", help="play the story by itself, and check every step")
    parser.add_argument("--port", type=int, default=0, help="the port of the tour (any free one)")
    options = parser.parse_args()
    for number in SIGNALS:
        signal.signal(number, _stop)
    try:
        return run(options.auto, options.port)
    except KeyboardInterrupt:
        return 130 if options.auto else 0


def run(auto: bool = False, port: int = 0, **settings: str) -> int:
    """Start everything, and show or play it; `settings` replace those of the gate."""
    try:
        with running(port, **settings) as world:
            return play(world) if auto else _show(world)
    except GateStopped as stopped:
        print(
            f"The gate has stopped. It said:\n\n{stopped.words}\n\nAll of it: {stopped.log}", file=sys.stderr
        )
        return 1


def play(world: World, patience: float = story.PATIENCE) -> int:
    """Play the story; where it differs, say where the gate's own words are."""
    code = story.play(world.url, patience)
    if code:
        world.keeps_log = True
        print(f"The gate’s log is at {world.log}", file=sys.stderr)
    return code


def _show(world: World) -> int:
    print(f"\n  {world.url}\n")
    print(
        "Open this address, open a pull request there, approve it from Lily’s email, and see it merged. Ctrl-C ends it.",
        flush=True,
    )
    world.wait()
    return 0


def _stop(*_: int | FrameType | None) -> None:
    """End by way of every `finally`; a second Ctrl-C does not cut that short."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
