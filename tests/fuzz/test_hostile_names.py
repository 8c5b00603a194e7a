"""A database of an earlier time may hold any names: no command breaks on it, or obeys them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from fuzz_commands import Command, defect

NAMES = (
    "=1+1 [/b] [ema] \x1b[31m",
    "\n::error::injected",
    "##[error]x |<b>&_$ \u202e",
    "x" * 200_000,
)
COMMANDS = (
    ("results",), ("results", "--json"), ("results", "--csv"), ("results", "--each"),
    ("results", "--by", "motion"), ("results", "--out", "o.txt"), ("results", "--export", "o.csv"),
    ("results", "--export", "o.jsonl"), ("status",), ("status", "--json"), ("compare", "--a-a"),
    ("baseline", "set", "main", "--save", "main.json"), ("baseline", "list"),
    ("baseline", "show", "main"), ("compare", "--baseline", "main", "--junit", "j.xml"),
    ("compare", "--baseline", "main", "--markdown", "m.md", "--json-out", "c.json"),
    ("history",), ("history", "--csv", "h.csv"), ("report", "--all", "--out", "report"),
    ("report", "--claims"), ("report", "--table", "1"), ("report", "--fig", "reuse-vs-jf"),
    ("site", "--out", "site"), ("trainings",), ("trainings", "--json"), ("retry", "--failed"),
    ("cancel",), ("gc",), ("db", "check"), ("render", "1", "a", "--out", "v.mp4"),
    ("export", "1", "--out", "e"),
)  # fmt: skip


def spoil(db: Path, name: str) -> None:
    """Give everything in the database that name."""
    with sqlite3.connect(db) as connection:
        connection.execute("UPDATE study SET name = ?", (name,))
        connection.execute(
            "UPDATE trial SET model = ?, dataset = ?, weights = ?, protocol = ?, sequences = ?",
            (name, name, name, name, json.dumps([name])),
        )
        connection.execute("UPDATE sequence_result SET sequence = ?", (name,))
        connection.execute("UPDATE attempt SET error = ?", (name,))
        connection.execute("UPDATE environment SET device = ?", (name,))
        connection.execute("UPDATE trial SET state = 'failed', error = ? WHERE id > 1", (name,))
    connection.close()


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name[:10]))
def test_every_command_on_hostile_names(
    command: Command, places: dict[str, str], tmp_path: Path, name: str
) -> None:
    models = ",".join((places["model"], f"masks:{tmp_path / 'data' / 'Annotations'}/."))
    ran = command("run", "--models", models, "--dataset", places["dataset"], "--db", "n.db")
    assert ran.code == 0, ran.err + ran.fault
    spoil(tmp_path / "n.db", name)
    found = []
    # Drawing two hundred thousand letters takes minutes, and harms nobody.
    drawn = {("report", "--all"), ("report", "--fig"), ("history", "--plot"), ("site", "--out")}
    commands = [c for c in COMMANDS if len(name) < 1000 or c[:2] not in drawn]
    for line in commands:
        ended = command(*line, "--db", "n.db")
        why = defect(ended, (0, 1, 2, 10, 11, 12, 13, 14))
        if why is not None:
            found.append(f"{' '.join(line)}: {why}")
    assert not found, "\n".join(found)
    for file in (tmp_path / "o.csv", tmp_path / "h.csv", tmp_path / "m.md"):
        if file.exists():
            text = file.read_text(encoding="utf-8")
            assert not any(row.startswith(("=", "::error")) for row in text.splitlines())
