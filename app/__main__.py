"""`python -m app` is the same as the `qa-gate` command.

Called by the interpreter only; it does nothing else.
The work is in `cli`.
"""

from app.cli import main

if __name__ == "__main__":
    main()
