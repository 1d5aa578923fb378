"""The one tree of errors. Catching a parent is always safe.

::

    GatewayError
    ├── SettingsError        the configuration is refused; lists every problem
    ├── PolicyError          a policy table is refused, with its counter-example
    ├── ImportRefused        a list of convocations is refused; lists every bad line
    │   └── LettersRefused   ... or identifiers, given for new letters; lists each by its place
    ├── Refused              somebody is refused: nothing was changed, nobody is logged in
    │   ├── AnswerRefused    ... because of what a portal's answer contains
    │   ├── AdmissionRefused     ... because the host's own rules open nothing to them
    │   ├── FlowLost         ... because the step is too old, already used or of another browser
    │   └── RequestRefused   ... because of the request itself (form, host, method, size)
    └── Unavailable          not now: store, portal, mail or CPU; may be tried again

Every error carries a stable `code`. Messages are for developers and logs: they
never hold a value that came from outside, nor a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class Code(StrEnum):
    """Stable reason codes: what hosts test, what events carry. Never renamed, never reused."""

    # the request
    HOST_UNKNOWN = "request.host_unknown"
    METHOD_NOT_ALLOWED = "request.method_not_allowed"
    TOO_LARGE = "request.too_large"
    MALFORMED = "request.malformed"
    PARAMETER_REPEATED = "request.parameter_repeated"
    MEDIA_TYPE = "request.media_type"
    FORM_EXPIRED = "request.form_expired"
    CROSS_SITE = "request.cross_site"
    NOT_FOUND = "request.not_found"
    FIELD_TYPE = "request.field_type"
    FIELD_UNKNOWN = "request.field_unknown"
    FIELD_MISSING = "request.field_missing"
    REDIRECT = "request.redirect"
    # a step of a journey
    FLOW_UNKNOWN = "flow.unknown"
    FLOW_OTHER_BROWSER = "flow.other_browser"
    REPLAYED = "flow.replayed"
    ROUTE_MISMATCH = "flow.route_mismatch"
    UNSOLICITED = "flow.unsolicited"
    # any portal
    PORTAL_UNKNOWN = "portal.unknown"
    PORTAL_DISABLED = "portal.disabled"
    PORTAL_REFUSED = "portal.refused"
    PORTAL_UNAVAILABLE = "portal.unavailable"
    ATTRIBUTE_MISSING = "portal.attribute_missing"
    SCOPE_VIOLATION = "portal.scope_violation"
    # SAML 2.0
    SAML_XML = "saml.xml"
    SAML_SCHEMA = "saml.schema"
    SAML_SHAPE = "saml.shape"
    SAML_ALGORITHM = "saml.algorithm"
    SAML_SIGNATURE = "saml.signature"
    SAML_UNSIGNED = "saml.unsigned"
    SAML_ENCRYPTED = "saml.encrypted"
    SAML_DESTINATION = "saml.destination"
    SAML_RECIPIENT = "saml.recipient"
    SAML_AUDIENCE = "saml.audience"
    SAML_TIME = "saml.time"
    SAML_CONFIRMATION = "saml.confirmation"
    SAML_IN_RESPONSE_TO = "saml.in_response_to"
    SAML_AUTHN_CONTEXT = "saml.authn_context"
    SAML_METADATA = "saml.metadata"
    # OpenID Connect
    OIDC_STATE = "oidc.state"
    OIDC_ISSUER = "oidc.issuer"
    OIDC_DISCOVERY = "oidc.discovery"
    OIDC_KEYS = "oidc.keys"
    OIDC_CODE = "oidc.code"
    OIDC_TOKEN_RESPONSE = "oidc.token_response"
    OIDC_ALGORITHM = "oidc.algorithm"
    OIDC_SIGNATURE = "oidc.signature"
    OIDC_TOKEN_TYPE = "oidc.token_type"
    OIDC_AUDIENCE = "oidc.audience"
    OIDC_TIME = "oidc.time"
    OIDC_NONCE = "oidc.nonce"
    OIDC_SUBJECT = "oidc.subject"
    OIDC_AT_HASH = "oidc.at_hash"
    OIDC_CLAIMS = "oidc.claims"
    OIDC_USERINFO = "oidc.userinfo"
    OIDC_STRENGTH = "oidc.strength"
    OIDC_RECENCY = "oidc.recency"
    OIDC_INITIATION = "oidc.initiation"
    OIDC_LOGOUT_TOKEN = "oidc.logout_token"
    # trusted headers
    HEADER_PEER = "header.peer"
    HEADER_SECRET = "header.secret"
    HEADER_AMBIGUOUS = "header.ambiguous"
    HEADER_EMPTY = "header.empty"
    HEADER_TOO_LONG = "header.too_long"
    HEADER_CHARSET = "header.charset"
    # direct accounts
    CREDENTIALS = "direct.credentials"
    THROTTLED = "direct.throttled"
    NETWORK_THROTTLED = "direct.network_throttled"
    PASSWORD_TOO_SHORT = "password.too_short"
    PASSWORD_TOO_LONG = "password.too_long"
    PASSWORD_COMMON = "password.common"
    PASSWORD_BREACHED = "password.breached"
    PASSWORD_CONTEXT = "password.context"
    PASSWORD_SAME = "password.same_as_provisional"
    PASSWORD_MISMATCH = "password.entries_differ"
    PASSWORD_CURRENT = "password.current_wrong"
    PASSWORD_MISSING = "password.missing"
    LINK_DEAD = "reset.link_dead"
    ACCOUNT_STATE = "direct.account_state"
    ADDRESS_MALFORMED = "address.malformed"
    ADDRESS_SAME = "address.same"
    ADDRESS_PORTAL = "address.portal"
    ADDRESS_CODE = "address.code_wrong"
    ADDRESS_TOO_MANY = "address.too_many"
    DESK_NOT_ALLOWED = "desk.not_allowed"
    DESK_SELF = "desk.own_account"
    DESK_STALE = "desk.account_changed"
    DESK_UNKNOWN = "desk.account_unknown"
    DESK_REPEATED = "desk.already_done"
    DESK_TOO_MANY = "desk.too_many_searches"
    NOT_LINKED = "direct.not_linked"
    LINK_TAKEN = "direct.link_taken"
    # second factor of direct accounts
    FACTOR_CODE = "factor.code_wrong"
    FACTOR_USED = "factor.code_used"
    FACTOR_CLOCK = "factor.clock"
    FACTOR_RECOVERY = "factor.recovery_wrong"
    FACTOR_TOO_MANY = "factor.too_many_tries"
    FACTOR_GONE = "factor.gone"
    FACTOR_CHALLENGE = "factor.challenge"
    FACTOR_ORIGIN = "factor.origin"
    FACTOR_UNKNOWN = "factor.unknown"
    FACTOR_COUNTER = "factor.counter"
    FACTOR_UNVERIFIED = "factor.unverified"
    FACTOR_ANSWER = "factor.answer"
    FACTOR_LIMIT = "factor.limit"
    FACTOR_NEEDED = "factor.needed"
    FACTOR_DUE = "factor.due"
    FACTOR_OFF = "factor.off"
    # sessions and admission
    SESSION_ENDED = "session.ended"
    SESSION_NEEDED = "session.needed"
    TOO_MANY_SESSIONS = "session.too_many"
    TOO_WEAK = "session.too_weak"
    ACTIVITY_CLOSED = "admission.activity_closed"
    ADMISSION_REFUSED = "admission.refused"
    HOOK_FAILED = "hook.failed"
    FIRST_PASSWORD_DUE = "admission.first_password_due"
    # the house
    STORE_UNAVAILABLE = "house.store_unavailable"
    BUSY = "house.busy"
    FAULT = "house.fault"
    SETTINGS = "house.settings"
    POLICY = "house.policy"
    IMPORT = "house.import"


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What was tried, and by whom: told by the event of the error that ended it.

    Attributes:
        event: name of that event; "" for the one its place and kind give it.
        door, method, strength, person: as in an event.
    """

    event: str = ""
    door: str = ""
    method: str = ""
    strength: str = ""
    person: tuple[str, str] | None = field(default=None, repr=False)


class GatewayError(Exception):
    """Root of everything the library raises on purpose.

    Attributes:
        code: why; stable.
        about: what it ended; set by the journey, which knows more than whoever raised.
        told: its event was written already: it is the end of an act that has one.
    """

    code: Code = Code.FAULT
    about: About | None = None
    told: bool = False

    def __init__(self, message: str = "", *, code: Code | None = None) -> None:
        super().__init__(message or (code or self.code).value)
        if code is not None:
            self.code = code


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration.

    Attributes:
        key: where, e.g. ``portals.arena-paris.client_id`` or ``keys.signing``.
        message: what is wrong, in French.
        remedy: what to write instead, in French.
        id: stable name of this kind of problem, under which `imagin-gateway check` tells it; "" for the general one.
    """

    key: str
    message: str
    remedy: str = ""
    id: str = ""

    def __str__(self) -> str:
        return f"{self.key} : {self.message}" + (f" → {self.remedy}" if self.remedy else "")


class SettingsError(GatewayError):
    """The settings are refused; `problems` lists all of them, not only the first."""

    code = Code.SETTINGS

    def __init__(self, problems: Sequence[Problem], source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        where = f" dans {source}" if source else ""
        count = len(self.problems)
        head = f"{count} problème{'s' if count > 1 else ''} de configuration{where} :"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


class PolicyError(GatewayError):
    """A policy table is refused; the message holds the counter-example in words."""

    code = Code.POLICY


@dataclass(frozen=True, slots=True)
class LineProblem:
    """One thing wrong in a list of convocations: line number and reason in French.

    The header is line 1; 0 stands for the list as a whole.
    """

    line: int
    reason: str

    def __str__(self) -> str:
        return f"ligne {self.line} : {self.reason}" if self.line else self.reason


class ImportRefused(GatewayError):
    """A list of convocations is refused as a whole: nothing was written.

    Attributes:
        problems: what is wrong, line by line.
        total: how many there are, when there are too many to keep them all.
    """

    code = Code.IMPORT
    _undone: ClassVar[str] = "rien n'a été importé"

    def __init__(self, problems: Sequence[LineProblem], total: int = 0) -> None:
        self.problems = tuple(problems)
        self.total = max(total, len(self.problems))
        head = f"{self.total} erreur{'s' if self.total > 1 else ''}, {self._undone} :"
        others = self.total - len(self.problems)
        more = [f"  - et {others} autre{'s' if others > 1 else ''}"] if others else []
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems), *more]))


@dataclass(frozen=True, slots=True)
class PlaceProblem(LineProblem):
    """One thing wrong in identifiers given one after the other: `line` is the place, from 1."""

    def __str__(self) -> str:
        return f"{self.line}{'er' if self.line == 1 else 'e'} identifiant : {self.reason}"


class LettersRefused(ImportRefused):
    """New letters are refused to all of the identifiers given: nothing was issued.

    Attributes:
        problems: what is wrong, by place; the identifiers themselves are the caller's to tell.
    """

    _undone = "rien n'a été émis"

    problems: tuple[PlaceProblem, ...]

    def __init__(self, problems: Sequence[PlaceProblem]) -> None:
        super().__init__(problems)


class Refused(GatewayError):
    """Somebody is refused. Nothing was changed and nobody is logged in."""

    code = Code.MALFORMED


class AnswerRefused(Refused):
    """What a portal answered is refused.

    Args:
        code: the check that failed.
        message: for the log; never a value from the answer.
        missing: names of the attributes that lack, for `Code.ATTRIBUTE_MISSING`.
        statuses: what the portal told: status codes for `Code.PORTAL_REFUSED`, a class or an algorithm not asked for.
        help_url: page of the portal for somebody it sends without what is needed; https.
    """

    def __init__(
        self,
        code: Code,
        message: str = "",
        *,
        missing: Sequence[str] = (),
        statuses: Sequence[str] = (),
        help_url: str = "",
    ) -> None:
        super().__init__(message, code=code)
        self.missing = tuple(missing)
        self.help_url = help_url
        self.statuses = tuple(statuses)


class AdmissionRefused(Refused):
    """Somebody proved who they are, and the host's own rules open nothing to them.

    Args:
        rules: ids of the rules that took everything away.
        sentences: what the host says to the person, from its own rules, by language.
    """

    code = Code.ADMISSION_REFUSED

    def __init__(self, rules: Sequence[str], sentences: Mapping[str, str]) -> None:
        super().__init__("the host's rules open nothing to this person")
        self.rules = tuple(rules)
        self.sentences = dict(sentences)


class FlowLost(Refused):
    """The step is too old, was already used, or belongs to another browser."""

    code = Code.FLOW_UNKNOWN


class RequestRefused(Refused):
    """The request itself is refused, whoever sends it."""


class Unavailable(GatewayError):
    """Not now. `retry_after` is in seconds."""

    code = Code.STORE_UNAVAILABLE

    def __init__(self, message: str = "", *, code: Code | None = None, retry_after: int = 5) -> None:
        super().__init__(message, code=code)
        self.retry_after = retry_after
