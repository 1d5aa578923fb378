"""The policy alone: the standard library, quickly."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import imagin_gateway

ROOT = Path(imagin_gateway.__file__).parent.parent
MODULES = ("admission", "hints", "render", "loading", "academies")


def run(code: str) -> str:
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
    # What measures coverage would come in, and be measured.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-I", "-c", start + code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=alone).stdout


def test_deciding_loads_no_third_party_module_and_no_other_room() -> None:
    names = ", ".join(f"imagin_gateway.policy.{name}" for name in MODULES)
    seen = run(f"import {names}; imagin_gateway.policy.siec(); print(*sys.modules)").split()
    roots = {name.partition(".")[0] for name in seen}
    assert roots - set(sys.stdlib_module_names) - {"__main__", "__mp_main__", "imagin_gateway"} == _site_starters()
    ours = {
        name for name in seen if name.startswith("imagin_gateway.") and not name.startswith("imagin_gateway.policy")
    }
    assert ours == {"imagin_gateway.identity", "imagin_gateway.errors"}


def _site_starters() -> set[str]:
    """Return what an empty interpreter of this environment loads by itself (editable installs)."""
    return (
        {name.partition(".")[0] for name in run("print(*sys.modules)").split()}
        - set(sys.stdlib_module_names)
        - {"__main__"}
    )


def test_naming_a_door_reads_and_proves_nothing() -> None:
    seen = run("import imagin_gateway.policy; print(*sys.modules)").split()
    assert not {"tomllib", "imagin_gateway.policy.loading", "imagin_gateway.policy.proof"} & set(seen)


def test_importing_the_policy_costs_little_more_than_what_it_stands_on() -> None:
    """Ratio to dataclasses, enum and datetime, best of several, so that a busy machine does not decide."""
    timed = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"

    def best(statement: str) -> float:
        return min(float(run(timed.format(statement))) for _ in range(5))

    assert best("import imagin_gateway.policy") < 3 * best("import dataclasses, datetime, enum, typing, tomllib")


def test_the_table_and_the_register_are_the_only_files_read() -> None:
    code = (
        "import builtins, io, os; seen = []\n"
        "sys.addaudithook(lambda name, args: seen.append(str(args[0])) if name == 'open' else None)\n"
        "import imagin_gateway.policy as p; p.siec().decide(p.Facts()); import imagin_gateway.policy.hints as h\n"
        "h.mail_hint('a@ac-paris.fr')\n"
        "print(*sorted({os.path.basename(f) for f in seen if f.endswith('.toml')}))"
    )
    start = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    out = subprocess.run([sys.executable, "-I", "-c", start + code], check=True, capture_output=True, text=True).stdout
    assert out.split() == ["academies.toml", "siec.toml"]


def test_what_is_promised_can_be_imported() -> None:
    import imagin_gateway.policy as policy

    for name in policy.__all__:
        assert getattr(policy, name) is not None
