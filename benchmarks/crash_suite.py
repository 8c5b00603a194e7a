"""Kill sweeps at random points for many rounds, and print what became of their results.

    python benchmarks/crash_suite.py [--rounds 30] [--seed 0] [--db postgresql+psycopg://…]

The tests run the same code for fewer rounds. With --db, the database must be empty.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "harness" / "crash"))


def main() -> int:
    """Run the rounds; exit status 1 if anything was lost, doubled or damaged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--db", help="default: a SQLite file")
    options = parser.parse_args()

    from crash_rounds import TRIALS_AT_ONCE, crash_rounds
    from crash_sweep import Sweep, install_plugin, write_clips

    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vosbench-crash-") as name:
        folder = Path(name)
        install_plugin(folder / "plugin")
        db = options.db or str(folder / "killed.db")
        sweep = Sweep(db, write_clips(folder / "clips"), TRIALS_AT_ONCE)
        summary = crash_rounds(sweep, str(folder / "calm.db"), options.rounds, options.seed)
    print(f"{summary} ({time.monotonic() - began_s:.0f} s)")
    is_sound = not summary.lost and not summary.doubled and not summary.problems and summary.same
    return 0 if is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
