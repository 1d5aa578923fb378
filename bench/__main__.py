"""`make bench`: every subject, each in a process of its own; the targets of all of them come last.

A whole run is written into docs/performance.md; one subject alone, if `--write` asks for it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts import performance

HERE = Path(__file__).parent
SUBJECTS = sorted(file.stem for file in HERE.glob("*.py") if file.stem not in ("__init__", "__main__", "frame"))


def main() -> int:
    """Run the subjects asked for; 1 if one of them broke (a missed target is not that)."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=SUBJECTS, help="one subject")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep everything in this file, by subject")
    parser.add_argument("--write", action="store_true", help="put one subject's results into docs/performance.md too")
    options = parser.parse_args()
    targets: list[str] = []
    kept: dict[str, dict[str, object]] = {}
    broken: list[str] = []
    for subject in [options.only] if options.only else SUBJECTS:
        print(f"\n=== {subject}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            told = Path(folder) / "report.json"
            command = [sys.executable, "-m", f"bench.{subject}", "--json", str(told)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
                for line in process.stdout or ():
                    if line.startswith("target "):
                        targets.append(line)
                    else:
                        print(line, end="", flush=True)
            if process.returncode:
                broken.append(subject)
            else:
                kept[subject] = json.loads(told.read_text(encoding="utf-8"))
    print("".join(targets), end="")
    if options.json:
        options.json.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if kept and (options.write or not options.only):
        performance.keep(kept)
    if broken:
        print(f"broken: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
