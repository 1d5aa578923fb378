"""`make fuzz`: every target for its share of the time, each in a process of its own."""

from __future__ import annotations

import argparse
import importlib.util
import re
import secrets
import subprocess
import sys
from pathlib import Path

from fuzz import engines
from fuzz.frame import Target, keep

TARGETS = (
    *("saml_response", "saml_logout", "saml_metadata", "oidc_tokens", "oidc_documents", "arena"),
    *("cookies", "forms", "convocations", "settings_file", "landing", "policy_file"),
)


def main() -> int:
    """Run what is asked for; 1 when there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--only", choices=TARGETS, help="one target")
    parser.add_argument("--minutes", type=float, default=6.0, help="for all of the targets together")
    parser.add_argument("--blind", action="store_true", help="without atheris")
    parser.add_argument("--seed", type=int, help="of the blind changes; told when it is not given")
    parser.add_argument("--keep", action="store_true", help="keep, in the repository, what reached something new")
    parser.add_argument("--show", type=Path, metavar="FILE", help="judge one input, with --only")
    options = parser.parse_args()
    names = (options.only,) if options.only else TARGETS
    if options.show is not None:
        from fuzz.frame import judge

        print("accepted" if judge(engines.target(options.only), options.show.read_bytes()) else "refused")
        return 0
    if options.keep:
        for name in names:
            _keep(engines.target(name))
        return 0
    seconds = options.minutes * 60 / len(names)
    guided = not options.blind and importlib.util.find_spec("atheris") is not None
    failed = [name for name in names if not _run(name, seconds, guided, options.seed)]
    if failed:
        print(f"findings: {', '.join(failed)}; see {engines.FOUND}", file=sys.stderr)
    return 1 if failed else 0


def _run(name: str, seconds: float, guided: bool, seed: int | None) -> bool:
    """Run one target in a process of its own, and say in a line what it did."""
    how = f"engines.guided({name!r}, {seconds})"
    if not guided:
        number = secrets.randbelow(1 << 32) if seed is None else seed
        how = f"print({number}, *engines.blind(engines.target({name!r}), {number}, seconds={seconds}))"
    command = [sys.executable, "-c", f"from fuzz import engines; {how}"]
    done = subprocess.run(command, cwd=engines.ROOT, capture_output=True, text=True, errors="replace", check=False)
    print(f"{name:15} {_told(done, guided)}", flush=True)
    if done.returncode:
        print((done.stdout + done.stderr)[-4000:], flush=True)
    return done.returncode == 0


def _told(done: subprocess.CompletedProcess[str], guided: bool) -> str:
    if done.returncode:
        return "FINDING"
    if not guided:
        seed, judged, accepted = done.stdout.split()
        return f"{int(judged):>9,} inputs, {int(accepted):,} accepted, seed {seed}"
    stats = {found[1]: int(found[2]) for found in re.finditer(r"stat::(\w+):\s+(\d+)", done.stderr)}
    covered = [int(found[1]) for found in re.finditer(r" cov: (\d+)", done.stderr)] or [0]
    return (
        f"{stats.get('number_of_executed_units', 0):>9,} inputs, {stats.get('average_exec_per_sec', 0):,} a second, "
        f"{covered[-1]:,} edges, {stats.get('new_units_added', 0):,} new, {stats.get('peak_rss_mb', 0)} MiB"
    )


def _keep(target: Target) -> None:
    """Keep in the repository what reaches something that the seeds do not; forget the rest."""
    before = sorted(target.folder.iterdir()) if target.folder.is_dir() else []
    found = engines.FOUND / target.name
    inputs = [file.read_bytes() for file in [*before, *(sorted(found.iterdir()) if found.is_dir() else [])]]
    chosen = {keep(target, data) for data in engines.chosen(target, inputs)}
    for file in before:
        if file not in chosen:
            file.unlink()
    size = sum(file.stat().st_size for file in chosen)
    print(f"{target.name:15} {len(inputs):>6,} inputs seen, {len(chosen):,} kept, {size:,} bytes", flush=True)


if __name__ == "__main__":
    sys.exit(main())
