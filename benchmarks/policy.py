"""What judging costs: µs for each rule and resource, and `falaj check` over all stacks, next to Checkov alone.

The rules judge every good resource of the test kit and everything in its cases; a pair is one rule that applies to one
resource. `falaj check` runs as a command, with and without Checkov, in turn with the `checkov` command on the same
converted files, so that a change of the machine's load meets all three; a first round to warm the disk cache is left
out. The ratio is the median of those within one round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
GOALS = {"us_per_rule_and_resource": 10.0, "falaj check": 5.0, "falaj check --without checkov": 2.0}


def of_rules(rounds: int) -> dict[str, Any]:
    """µs for each pair of a rule and a resource that it applies to, and for each resource under all rules."""
    from falaj_policies import ResourceFact, StackFact, Stage, all_rules, evaluate
    from falaj_policies.testing import good, kinds, own_cases

    facts = [good(kind, tenant=tenant) for kind in kinds() for tenant in (None, "acme")]
    for case in own_cases():
        for fact in (case.good, case.bad):
            facts += [fact] if isinstance(fact, ResourceFact) else []
            facts += list(fact.resources) if isinstance(fact, StackFact) else []
    applying = [rule for rule in all_rules() if rule.applies_to is ResourceFact and Stage.PROVISION in rule.stages]
    pairs = sum(rule.kinds is None or fact.kind in rule.kinds for fact in facts for rule in applying)
    seconds, busy = [], []
    for number in range(rounds + 1):
        start, used = time.perf_counter(), time.process_time()
        for fact in facts:
            evaluate(fact, Stage.PROVISION)
        if number:
            seconds.append(time.perf_counter() - start)
            busy.append(time.process_time() - used)
    median = statistics.median(seconds)
    return {
        "rules": len(all_rules()),
        "resources": len(facts),
        "pairs": pairs,
        "rounds": rounds,
        "us_per_rule_and_resource": round(median / pairs * 1e6, 2),
        "fastest_us_per_rule_and_resource": round(min(seconds) / pairs * 1e6, 2),
        # What the processor spent, whatever else the machine was doing.
        "cpu_us_per_rule_and_resource": round(statistics.median(busy) / pairs * 1e6, 2),
        "us_per_resource": round(median / len(facts) * 1e6, 1),
    }


def converted(folder: Path) -> int:
    """Write what Checkov is given for all stacks of this repository into `folder`, and say how many files."""
    from falaj_platform.check.run import check
    from falaj_platform.checkov import Scanner

    asked: list[dict[str, Any]] = []
    original = Scanner._ask

    def noting(self: Scanner, request: Any) -> dict[str, Any]:
        asked.append(request)
        return original(self, request)

    Scanner._ask = noting  # type: ignore[method-assign]
    try:
        check(ROOT)
    finally:
        Scanner._ask = original  # type: ignore[method-assign]
    count = 0
    for number, request in enumerate(asked):
        for framework, files in request["frameworks"].items():
            for name, text in files.items():
                file = folder / f"{number}-{framework}" / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
                count += 1
    return count


def seconds_of(command: Sequence[str], folder: Path) -> float:
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode not in (0, 1):
        sys.exit(f"{command[0]} exited with {done.returncode}: {done.stderr.strip()[-300:]}")
    return time.perf_counter() - start


def of_checks(rounds: int) -> dict[str, Any]:
    """Seconds of the three commands, in turn, and their ratios within each round."""
    falaj = str(Path(sys.executable).with_name("falaj"))
    with tempfile.TemporaryDirectory(prefix="falaj-bench-") as name:
        folder = Path(name)
        files = converted(folder)
        frameworks = ["kubernetes", "terraform_plan", "arm"]
        checkov = [str(CHECKOV), "-d", str(folder), "--framework", *frameworks, "--skip-download", "--output", "json"]
        commands = {
            "falaj check": ([falaj, "check", "--json"], ROOT),
            "falaj check --without checkov": ([falaj, "check", "--json", "--without", "checkov"], ROOT),
            "checkov": ([*checkov, "--compact", "--quiet"], folder),
        }
        seconds: dict[str, list[float]] = {key: [] for key in commands}
        for number in range(rounds + 1):
            for key, (command, where) in commands.items():
                spent = seconds_of(command, where)
                if number:
                    seconds[key].append(spent)
                    print(f"round {number}: {key} {spent:.2f} s", file=sys.stderr)
    ratios = [mine / theirs for mine, theirs in zip(seconds["falaj check"], seconds["checkov"], strict=True)]
    return {
        "rounds": rounds,
        "converted_files": files,
        "commands": {
            key: {"median_s": round(statistics.median(runs), 2), "fastest_s": round(min(runs), 2)}
            for key, runs in seconds.items()
        },
        "falaj check / checkov": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rules-only", action="store_true", help="without the commands")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    result: dict[str, Any] = {
        "python": sys.version.split()[0],
        "goals": GOALS,
        "rules": of_rules(max(arguments.rounds, 5)),
    }
    if not arguments.rules_only:
        if not CHECKOV.exists():
            sys.exit("Checkov's environment is missing (.venv-checkov): run .ci/setup")
        result["check"] = of_checks(arguments.rounds)
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['rules']['us_per_rule_and_resource']} us for a rule and a resource, {result['rules']}")
    for key, row in result.get("check", {}).get("commands", {}).items():
        print(f"{key:32} median {row['median_s']:6.2f} s   fastest {row['fastest_s']:6.2f} s")
    if "check" in result:
        print(f"falaj check / checkov, in the same round: {result['check']['falaj check / checkov']}")


if __name__ == "__main__":
    main()
