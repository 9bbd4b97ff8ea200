"""The operator's commands, each in a module of its own: `setup`, `protect`, `doctor`, and `backup` with `restore`.

`cli` has their names, and loads the module of the one that is asked for. Nothing of the running gate depends on them.
"""
