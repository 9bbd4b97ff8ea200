"""The operator's commands: `protect` locks the branches, `setup` connects GitHub, `doctor` says what is wrong.

`cli` adds `commands.COMMANDS`. Read `commands` first, then the module of the command that is needed. Nothing of the
running gate depends on this room.
"""
