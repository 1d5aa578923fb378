"""How long importing the gateway takes, beside the protocol libraries it must not drag in, and beside peers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from bench.frame import Report, fresh, peers, run

HERE: Final = Path(sys.executable)

OURS: Final = {
    "pass": "pass",
    "import imagin_gateway": "import imagin_gateway",
    "import imagin_gateway.policy": "import imagin_gateway.policy",
    "from imagin_gateway import Gateway": "from imagin_gateway import Gateway",
    "import sqlalchemy": "import sqlalchemy",
    "the OIDC library's client": "import authlib.oauth2.rfc6749, authlib.oidc.core",
    "the SAML library's client": "import saml2.client",
}

THEIRS: Final = {
    "social-auth-core": "import social_core.backends.open_id_connect, social_core.backends.saml",
    "Flask-Login": "import flask_login",
    "fastapi-users": "import fastapi_users",
}

PROTOCOL_LIBRARIES: Final = ("saml2", "authlib", "joserfc", "sqlalchemy", "lxml", "xmlsec", "jinja2", "httpx2", "redis")


def loaded(statement: str) -> set[str]:
    """Return the top-level modules that a statement adds to those of a bare interpreter."""
    code = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([HERE, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def foreign(modules: set[str]) -> set[str]:
    """Return those that belong neither to us nor to the standard library."""
    return {name for name in modules if name not in sys.stdlib_module_names and name != "imagin_gateway"}


def measure(report: Report) -> None:
    """Measure in fresh processes."""
    ours = fresh(HERE, OURS)
    theirs = fresh(peers(), THEIRS)
    floor = ours["pass"][1].best
    base = ours["import imagin_gateway"][0].best
    rows = [
        (
            name,
            own.best * 1e3,
            own.middle * 1e3,
            whole.best * 1e3,
            whole.best / floor,
            own.best / base if name != "pass" else "",
            len(foreign(loaded(OURS[name]))) if name in OURS else "",
        )
        for name, (own, whole) in {**ours, **theirs}.items()
    ]
    columns = ("in a fresh process", "own ms", "median", "process ms", "x pass", "x imagin_gateway", "third parties")
    report.table("Import time", columns, rows)
    report.target("import_imagin_gateway", base * 1e3, 60, "ms")
    brought = loaded("import imagin_gateway") & set(PROTOCOL_LIBRARIES)
    report.target("import_imagin_gateway_protocol_libraries", len(brought), 0)
    report.target("import_policy", ours["import imagin_gateway.policy"][0].best * 1e3, 40, "ms")
    report.target("import_policy_third_party_modules", len(foreign(loaded("import imagin_gateway.policy"))), 0)


if __name__ == "__main__":
    run("import_time", measure)
