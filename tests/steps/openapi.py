"""Makes `imagin_gateway/openapi/openapi.json` from the routes, the types of the steps, and the states of the pages.

`python -m tests.steps.openapi` writes it again; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

import imagin_gateway
from imagin_gateway.errors import Code
from imagin_gateway.flat_json import MAX_BYTES
from imagin_gateway.flows.forms import FIELD
from imagin_gateway.flows.routes import OPEN_WHILE, ROUTES, Route
from imagin_gateway.pages.render import Pages
from imagin_gateway.pages.steps import STEPS, account, doors, factors, login, session
from imagin_gateway.pages.steps.shape import Go, Problem, Step
from imagin_gateway.policy import siec
from tests.pages.conftest import LANGUAGES, settings
from tests.pages.states import STATES
from tests.steps.states import MORE

FILE: Final = Path(imagin_gateway.__file__).parent / "openapi" / "openapi.json"

TYPES: Final[Mapping[str, type[msgspec.Struct]]] = {
    each.__struct_config__.tag: each  # type: ignore[misc]  # a tag of ours is a text
    for module in (doors, login, account, factors, session)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct) and each.__struct_config__.tag and each is not Step
}

OPERATIONS: Final[Mapping[str, Mapping[str, tuple[str, tuple[str, ...], tuple[int, ...]]]]] = {
    # pattern: method: what it does, steps it answers, statuses beside the usual ones
    "/": {"GET": ("Every door, and the way to the questions.", ("chooser",), ())},
    "/oublier": {"GET": ("Forget the door taken last time.", ("go",), ())},
    "/question": {
        "GET": (
            "The next question, or the door the answers lead to, and why. Nothing is kept, nothing is granted.",
            ("question", "door", "outcome", "go"),
            (422,),
        )
    },
    "/acces/{door}": {"GET": ("What there is to know of one door.", ("door",), (404,))},
    "/portail/{door}": {
        "GET": (
            "Begin a login by a portal: the browser is then sent to `to`.",
            ("go", "leaving"),
            (403, 404, 429),
        )
    },
    "/arrivee": {
        "GET": ("Open the session that a portal vouched for; by navigation.", ("go", "confirm_replace"), (403, 404)),
        "POST": ("Take the place of the other person's session.", ("go",), (404,)),
    },
    "/proconnect": {
        "GET": ("Whether ProConnect leads to the account.", ("proconnect", "go"), (404,)),
        "POST": ("Leave for ProConnect.", ("go",), (404,)),
    },
    "/proconnect/confirmer": {
        "GET": ("Whom ProConnect vouches for.", ("proconnect", "go"), (404,)),
        "POST": ("Link the two.", ("go",), (404, 409)),
    },
    "/proconnect/retirer": {"POST": ("Undo the link.", ("go",), (404,))},
    "/direct": {
        "GET": ("The form of the direct door.", ("login",), ()),
        "POST": (
            "Check identifier and password. Whatever fails is told in the same bytes.",
            ("go",),
            (422, 429),
        ),
    },
    "/etape": {
        "GET": ("What the second step takes.", ("second_step",), ()),
        "POST": ("Prove the second factor: `moyen` is `code`, `secours` or `cle`.", ("go",), (429,)),
    },
    "/cle": {
        "GET": ("Ask a device for a passkey, without password.", ("passkey_login",), (404,)),
        "POST": ("Check what the device answered.", ("go",), (404, 429)),
    },
    "/securite": {
        "GET": ("Second factors of one's own account.", ("security", "go"), (404,)),
        "POST": ("Take a factor away (`retirer`), or trust a computer no more (`oublier`).", ("go",), (404, 422)),
    },
    "/securite/application": {
        "GET": ("Add an application that makes codes.", ("totp_add", "go"), (404,)),
        "POST": ("Show that it makes the right ones.", ("recovery_codes", "go"), (404, 422, 429)),
    },
    "/securite/cle": {
        "GET": ("Add a passkey.", ("passkey_add", "go"), (404,)),
        "POST": ("Keep the passkey that the device made.", ("recovery_codes", "go"), (404, 422, 429)),
    },
    "/securite/codes": {
        "GET": ("Whether to make new recovery codes.", ("recovery_codes", "go"), (404,)),
        "POST": ("Make them.", ("recovery_codes", "go"), (404, 422)),
    },
    "/mot-de-passe": {
        "GET": ("Choose a password: the first, or another.", ("password", "go"), ()),
        "POST": ("Set it; every other session of the person ends.", ("go",), (422, 429)),
    },
    "/mot-de-passe/oubli": {
        "GET": ("Ask for a link by mail.", ("forgotten",), ()),
        "POST": ("Record the request: the answer is the same for everybody.", ("go",), (422, 429)),
    },
    "/mot-de-passe/oubli/envoye": {"GET": ("What happens next.", ("forgotten_sent",), ())},
    "/mot-de-passe/lien": {"GET": ("Take the token of a mailed link (`jeton`) out of the address.", ("go",), (410,))},
    "/mot-de-passe/nouveau": {
        "GET": ("Choose a password in the place of a forgotten one.", ("password",), (410,)),
        "POST": ("Set it; every session of the person ends, and nobody is signed in.", ("go",), (410, 422)),
    },
    "/mot-de-passe/fait": {"GET": ("It is done.", ("password_done",), ())},
    "/adresse": {
        "GET": ("Change one's mail address.", ("address", "go"), ()),
        "POST": ("Have codes mailed to both addresses.", ("go",), (422, 429)),
    },
    "/adresse/codes": {
        "GET": ("Where the codes go.", ("address_codes", "go"), ()),
        "POST": ("Record the address.", ("go",), (422, 429)),
    },
    "/adresse/faite": {"GET": ("It is done.", ("address_done",), ())},
    "/session": {
        "GET": ("Who is signed in here, and until when. Asking prolongs nothing.", ("session", "go"), (401,)),
        "POST": ("Stay on.", ("session", "go"), ()),
    },
    "/session/toutes": {
        "GET": ("Every session of the person; asks for a recent login.", ("sessions", "go"), ()),
        "POST": ("End one (its form), `autres` or `toutes`.", ("go",), ()),
    },
    "/confirmer": {
        "GET": ("Prove anew who one is.", ("confirm", "go"), (404,)),
        "POST": ("Check the password of whoever is signed in.", ("go",), (429,)),
    },
    "/fin": {
        "GET": ("Whether to sign out.", ("logout",), ()),
        "POST": ("End the session, then leave for the portal that opened it, if it can end its own.", ("go",), ()),
    },
    "/fin/faite": {"GET": ("The session has ended here.", ("logged_out", "go"), ())},
}

QUERY: Final = {
    "next": ("Page to land on: one that the settings allow, or it is replaced.", "/missions"),
    "lang": ("Language of the answer.", "en"),
    "moyen": ("Means of the second step: `secours` for a recovery code, `cle` after a passkey.", "secours"),
    "jeton": ("Token of a mailed link.", "x" * 43),
    "porte": ("Id of the door whose portal may be open still.", "arena-paris"),
    "fin": ("`1` once some were ended.", "1"),
    "anew": ("`1`: the portal asks for the credentials again.", "1"),
    "suite": ("`1`: past the page that says where one is about to go.", "1"),
    "question": ("Id of the question that is answered; without its answer, it is asked again.", "poste"),
}

ASKED: Final = {
    "/": ("next",),
    "/oublier": ("next",),
    "/acces/{door}": ("next",),
    "/portail/{door}": ("next", "anew", "suite"),
    "/direct": ("next",),
    "/etape": ("moyen",),
    "/cle": ("next",),
    "/securite": ("next",),
    "/securite/application": ("next",),
    "/securite/cle": ("next",),
    "/mot-de-passe": ("next",),
    "/mot-de-passe/lien": ("jeton",),
    "/session/toutes": ("fin",),
    "/confirmer": ("next",),
    "/fin/faite": ("porte",),
    "/question": ("next", "question"),
}

USUAL: Final = (400, 403, 413, 500, 503)

SAYS: Final = {
    400: "The request, or the step it belongs to, is none: too old, already done, malformed.",
    401: "Nobody is signed in.",
    403: "Refused: the token does not fit, what was proved is wrong or too weak, the account may not.",
    404: "Nothing stands there, or it is switched off.",
    409: "It belongs to somebody else by now.",
    410: "The link was used, or is too old.",
    413: "Too large.",
    415: "The body is neither JSON nor a form.",
    422: "Something typed is wrong: see `errors`; the step stands in `again`.",
    429: "Too many tries: wait as `Retry-After` says.",
    500: "A fault of ours; the reference finds it in the log.",
    503: "Not now: wait as `Retry-After` says.",
}

BY_MOUNT: Final = (400, 503)
"""Statuses that a mount also answers by itself, in plain text, before any page is made."""

MESSAGE: Final = """Every step of the front door, in JSON. `docs/json.md` is the guide.

All of it needs `Accept: application/json`: without, a page comes. Cookies are the browser's alone.
Addresses are below the mount path of the gateway."""

DOORS: Final = tuple(siec().doors)


def told_routes() -> list[Route]:
    """Return the routes that have a form in JSON."""
    return [route for route in ROUTES if route.tells]


def document() -> dict[str, Any]:
    """Return the whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imagin_gateway",
            "summary": "The front door, for a front end of the host's own.",
            "description": MESSAGE,
            "version": imagin_gateway.__version__,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/connexion", "description": "The mount path of the settings."}],
        "paths": {route.pattern: _path(route) for route in told_routes()},
        "components": {
            "schemas": _schemas(),
            "responses": {str(status): _refused(status) for status in SAYS},
            "headers": {name: _header(about) for name, about in HEADERS.items()},
            "examples": _examples(),
        },
    }


def _path(route: Route) -> dict[str, Any]:
    operations = OPERATIONS[route.pattern]
    path: dict[str, Any] = {method.lower(): _operation(route, method, *told) for method, told in operations.items()}
    shared = [_parameter("lang", "query")]
    if "{door}" in route.pattern:
        shared.insert(0, _parameter("door", "path"))
    return {"parameters": shared, **path}


def _operation(route: Route, method: str, does: str, steps: tuple[str, ...], more: tuple[int, ...]) -> dict[str, Any]:
    statuses = sorted({*USUAL, *more, *((415,) if method == "POST" else ())})
    refused = {str(each): {"$ref": f"#/components/responses/{each}"} for each in statuses}
    told: dict[str, Any] = {
        "operationId": "_".join([method.lower(), *re.findall(r"[\w-]+", route.pattern)]),
        "summary": does,
        "responses": {"200": _answer(steps if "go" in steps or _always_open(route) else (*steps, "go")), **refused},
    }
    if method == "POST":
        told["requestBody"] = _body(route)
    else:
        told["parameters"] = [_parameter(name, "query") for name in ASKED.get(route.pattern, ())]
        if route.pattern == "/question":
            told["parameters"] += [_answer_parameter(each) for each in siec().all_questions]
    return told


def _always_open(route: Route) -> bool:
    """Tell whether a session that must do something first is let through, and not told where that is done."""
    return all(route.pattern in opened for opened in OPEN_WHILE.values())


def _parameter(name: str, place: str) -> dict[str, Any]:
    if place == "path":
        about = "Id of a door. Any other has nothing."
        schema = {"type": "string", "enum": [*DOORS]}
        return {"name": name, "in": place, "required": True, "description": about, "schema": schema}
    about, example = QUERY[name]
    return {"name": name, "in": place, "description": about, "schema": {"type": "string"}, "example": example}


def _answer_parameter(question: Any) -> dict[str, Any]:
    values = [answer.id for answer in question.answers]
    about = f"An answer: {question.title.get('en')} A table of the host's own may ask other questions."
    return {"name": question.id, "in": "query", "description": about, "schema": {"type": "string", "enum": values}}


def _body(route: Route) -> dict[str, Any]:
    assert route.takes is not None, route.pattern
    names = [FIELD, *sorted(route.takes)]
    token = {"type": "string", "description": "Token of the form: from the step, in `send`."}
    schema = {
        "type": "object",
        "properties": {name: token if name == FIELD else {"type": "string"} for name in names},
        "required": [FIELD],
        "additionalProperties": False,
    }
    example = {name: "bWFycXVl.c2lnbmF0dXJl" if name == FIELD else "" for name in names}
    description = f"`send` of the form, with what was filled in; at most {MAX_BYTES} bytes."
    content = {"application/json": {"schema": schema, "example": example}}
    return {"required": True, "description": description, "content": content}


HEADERS: Final = {
    "Cache-Control": "`no-store`",
    "Content-Language": "Language of the words.",
    "Retry-After": "Seconds.",
    "WWW-Authenticate": "A cookie signs in, no scheme of HTTP does.",
}


def _header(about: str) -> dict[str, Any]:
    return {"description": about, "required": True, "schema": {"type": "string"}}


def _headers(*more: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in ("Cache-Control", *more)}


def _answer(steps: tuple[str, ...]) -> dict[str, Any]:
    every = [{"$ref": f"#/components/schemas/{_type(step).__name__}"} for step in steps]
    examples = {step: {"$ref": f"#/components/examples/{step}"} for step in steps}
    content = {"application/json": {"schema": {"oneOf": every} if len(every) > 1 else every[0], "examples": examples}}
    return {"description": "The step.", "headers": _headers("Content-Language"), "content": content}


def _type(step: str) -> type[msgspec.Struct]:
    return Go if step == "go" else TYPES[step]


def _refused(status: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"$ref": "#/components/schemas/Refusal"}
    examples = {"refusal": {"$ref": "#/components/examples/refusal"}}
    if status in (403, 422):
        schema = {"anyOf": [{"$ref": "#/components/schemas/Problem"}, schema]}
        examples = {"again": {"$ref": "#/components/examples/again"}, **examples}
    content: dict[str, Any] = {"application/problem+json": {"schema": schema, "examples": examples}}
    if status in BY_MOUNT:
        content["text/plain"] = {"schema": {"type": "string"}}
    more = {401: ("WWW-Authenticate",), 429: ("Retry-After",)}.get(status, ())
    return {"description": SAYS[status], "headers": _headers(*more), "content": content}


def _schemas() -> dict[str, Any]:
    types = [*TYPES.values(), Go, Problem]
    _, found = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = {name: _strict(schema) for name, schema in sorted(found.items())}
    again = [each.__name__ for each in TYPES.values() if issubclass(each, Step)]
    schemas["Problem"]["properties"]["again"] = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in again]}
    schemas["Ask"]["properties"]["options"] = {"type": ["object", "null"]}
    code = {"type": "string", "enum": sorted(each.value for each in Code), "description": "Stable; more may come."}
    schemas["Code"] = code
    for name in ("Problem", "Wrong"):
        schemas[name]["properties"]["code"] = {"$ref": "#/components/schemas/Code"}
    schemas["Refusal"] = _refusal()
    schemas.pop("Step", None)
    return dict(sorted(schemas.items()))


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Say that every member is there, as it is, and that there is no other."""
    if "properties" in schema:
        for each in schema["properties"].values():
            each.pop("default", None)
        schema["required"] = list(schema["properties"])
        schema["additionalProperties"] = False
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    return schema


def _refusal() -> dict[str, Any]:
    texts = {"type": "array", "items": {"type": "string"}}
    properties: dict[str, Any] = {
        "type": {"const": "about:blank"},
        "title": {"type": "string", "description": "What happened."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What it means."},
        "code": {"$ref": "#/components/schemas/Code"},
        "reference": {"type": "string", "description": "For the support.", "pattern": "^R-[0-9A-Z]{4}-[0-9A-Z]{4}$"},
        "login": {"type": "string", "description": "Path where a login begins."},
        "steps": {**texts, "description": "What to do, in order."},
        "links": {"type": "array", "items": {"$ref": "#/components/schemas/Link"}, "description": "The best first."},
        "reason": {"type": "string", "description": "For whoever wrote the script, in English."},
    }
    return {
        "title": "Refusal",
        "description": "Nothing was done, and the step is over (RFC 9457). `reference` lacks for 401 alone.",
        "type": "object",
        "properties": properties,
        "required": ["type", "title", "status", "code", "login"],
        "additionalProperties": False,
    }


def _examples() -> dict[str, Any]:
    pages = Pages(settings())
    told: dict[str, Any] = {"go": {"step": "go", "to": "/connexion/etape", "by": "request"}}
    for page in STEPS:
        state = next(each for each in STATES.values() if each.page == page and not each.error)
        told[page] = _told(pages, page, state.values)
    wrong = next(each for each in STATES.values() if each.page == "login" and each.error)
    told["again"] = _told(pages, "login", wrong.values, status=403)
    told["refusal"] = {
        "type": "about:blank",
        "title": "This page was open too long",
        "status": 403,
        "detail": "Nothing was saved.",
        "code": Code.FORM_EXPIRED.value,
        "reference": "R-7K4M-2QXP",
        "login": "/connexion/",
        "steps": ["Open the page again, then start again."],
        "links": [{"label": "Start again", "href": "/connexion/direct"}],
    }
    return {name: {"value": value} for name, value in sorted(told.items())}


def _told(pages: Pages, page: str, values: Mapping[str, Any], status: int = 200) -> Any:
    reply = pages.tell(page, language=LANGUAGES["fr"], **{"status": status, **MORE.get(page, {}), **values})
    return json.loads(reply.body)


def written(told: Mapping[str, Any]) -> str:
    """Return the text of the file."""
    return json.dumps(told, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(written(document()), encoding="utf-8")
