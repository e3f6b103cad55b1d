"""How long `import falaj` and `falaj --help` take, next to bare Python and to `import typer`.

The commands alternate, so that a change of the machine's load meets all of them; medians and the fastest of `--rounds`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "python": [sys.executable, "-c", "pass"],
    "import falaj": [sys.executable, "-c", "import falaj"],
    "import typer": [sys.executable, "-c", "import typer"],
    "falaj --help": [str(Path(sys.executable).with_name("falaj")), "--help"],
}


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each run, by command; a first round to warm the disk cache is left out."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    seconds = measure(arguments.rounds)
    result = {
        name: {"median_ms": round(statistics.median(runs) * 1000, 1), "fastest_ms": round(min(runs) * 1000, 1)}
        for name, runs in seconds.items()
    }
    if arguments.json:
        print(json.dumps({"rounds": arguments.rounds, "python": sys.version.split()[0], "commands": result}))
        return
    for name, row in result.items():
        print(f"{name:14} median {row['median_ms']:7.1f} ms   fastest {row['fastest_ms']:7.1f} ms")


if __name__ == "__main__":
    main()
