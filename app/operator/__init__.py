"""The operator's commands, each in a module of its own: `setup`, `protect`, `doctor`, and `backup` with `restore`.

`cli` has their names, and loads the module of the one that is asked for. Nothing of the running gate depends on them.
"""

import sys
from typing import NoReturn

import click


def stop(sentence: str) -> NoReturn:
    """End a command with what the operator has to read, and exit code 2: nothing could be done."""
    click.echo(sentence, err=True)
    sys.exit(2)
