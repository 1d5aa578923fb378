"""Everything that can be wrong before the first user comes, looked at in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import imagin_gateway
from imagin_gateway.errors import Problem
from imagin_gateway.operating.findings import Finding, Report, fatal, good, warning
from imagin_gateway.operating.ground import Ground, Places, Probe
from imagin_gateway.operating.probes import accounts, keys, libraries, machine, mail, portals, rules, site, state
from imagin_gateway.operating.running import run
from imagin_gateway.settings import Settings
from imagin_gateway.settings.environment import unknown_variables
from imagin_gateway.settings.partial import load_what_holds
from imagin_gateway.settings.places import lines_of, variables_of
from imagin_gateway.settings.whole import ENVIRONMENT_PREFIX
from imagin_gateway.settings.written import WHOLE_FILE

LONGEST_SECONDS: Final = 30.0


def check(
    file: Path,
    now: datetime,
    *,
    offline: bool = False,
    mail_to: str = "",
    timeout: float = 5.0,
    seconds: float = LONGEST_SECONDS,
    progress: Callable[[Sequence[str]], None] = lambda waiting: None,
    **ground: object,
) -> Report:
    """Look at everything, and return what was found. Raises nothing because of what it finds.

    Args:
        file: the settings.
        now: the present moment.
        offline: nothing leaves this machine.
        mail_to: an address to which one real mail is sent.
        timeout: seconds that one connection may take.
        seconds: longest time for everything.
        progress: called with what is still waited for.
        ground: other fields of `Ground`, for tests.
    """
    held = load_what_holds(file)
    findings = [of_settings(problem) for problem in held.problems]
    for name, meant in unknown_variables(Settings):
        remedy = f"vouliez-vous écrire « {ENVIRONMENT_PREFIX}{meant.upper()} » ?" if meant else "vérifier son nom"
        text = f"la variable {name} n’est celle d’aucune clé : personne ne la lit"
        findings.append(warning("settings.unknown_variable", "réglages", text, remedy))
    if held.settings is not None:
        if not held.problems:
            findings.append(good("settings.file", "réglages", f"{file} : tout y est correct"))
        stands = Ground(
            settings=held.settings,
            file=file,
            now=now,
            timeout=timeout,
            offline=offline,
            mail_to=mail_to,
            broken=held.broken,
            **ground,  # type: ignore[arg-type]  # fields of Ground, from a test
        )
        findings += run(list(probes(stands)), stands, seconds=seconds, progress=progress)
    return Report.of(
        list(dict.fromkeys(findings)), settings=str(file), at=now.isoformat(), version=imagin_gateway.__version__
    )


def of_settings(problem: Problem) -> Finding:
    """Return the finding for what the settings themselves find wrong."""
    name = problem.id or ("settings.file" if problem.key == WHOLE_FILE else "settings.together")
    return fatal(name, "réglages", problem.message, problem.remedy or "corriger cette valeur", problem.key)


def places(file: Path) -> Places:
    """Return where each key is said."""
    try:
        text = file.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        text = ""
    return Places(lines_of(text), variables_of(), file.name)


def probes(ground: Ground) -> Iterator[Probe]:
    """Return every look there is, in the order in which an operator would go about it."""
    settings = ground.settings
    yield Probe("mode", "mode", rules.mode, frozenset({"development"}))
    yield Probe("files", "droits des fichiers", machine.permissions)
    yield Probe("libraries", "bibliothèques", libraries.look)
    yield Probe("keys", "clés", keys.look, frozenset({"keys"}))
    yield Probe("policy", "règles", rules.policy, frozenset({"policy", "admission"}))
    yield Probe("appearance", "pages", rules.pages, frozenset({"appearance"}))
    yield Probe("second_factor", "second facteur", rules.second_factor, frozenset({"second_factor"}))
    yield Probe("metrics", "mesures", rules.figures, frozenset({"metrics"}))
    yield Probe("passwords", "mots de passe connus", rules.passwords, frozenset({"passwords"}))
    yield Probe("events", "événements", machine.events, frozenset({"events"}))
    remote = accounts.is_remote(settings.accounts.url)
    yield Probe("accounts", "comptes", accounts.look, frozenset({"accounts"}), remote)
    yield Probe("state", "état", state.look, frozenset({"state"}), state.is_remote(settings.state.url))
    yield Probe("site", "adresse et cookies", site.static, frozenset({"base_url", "mount_path", "landing", "protect"}))
    rests = frozenset({"state", "keys", "trusted_proxies"})
    yield Probe("proxy", "mandataires", site.proxies, rests, state.is_remote(settings.state.url))
    if not settings.development:
        yield Probe("site", "notre site", site.live, frozenset({"base_url", "mount_path"}), remote=True)
    yield Probe("mail", "courrier", mail.look, frozenset({"mail"}), remote=True)
    yield from portals.probes(ground)
