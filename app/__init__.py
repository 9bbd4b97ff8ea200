"""qa-gate: an email review gate for a development branch.

Nothing is imported here: each process, the server's parent above all, loads only what it needs.
`wiring` puts the parts together, `cli` has the commands.
"""

__version__ = "1.0.0"  # pyproject.toml reads it from here
