"""Where the wording for people lies: in templates/, beside app/ in a checkout, inside it in an installed wheel.

Rooms that render take the folder from here. What the wheel holds, and where, is said in pyproject.toml.
It must never depend on the folder that the gate is started in.
"""

from __future__ import annotations

from pathlib import Path


def templates() -> Path:
    """Return the folder of all templates."""
    code = Path(__file__).parent
    inside = code / "templates"
    return inside if inside.is_dir() else code.parent / "templates"
