"""What a host developer got wrong, and the line to change."""

from __future__ import annotations

from typing import Final

NOT_MOUNTED: Final = (
    "imagin_gateway is not mounted around this application: app = gateway.asgi(app), "
    "or app.wsgi_app = gateway.wsgi(app.wsgi_app)"
)

NOT_MOUNTED_DJANGO: Final = (
    "imagin_gateway is not mounted around this project: application = gateway.wsgi(get_wsgi_application()) in the "
    "wsgi.py that WSGI_APPLICATION names, or the same with asgi; Django's test client goes past it: "
    "testing.nobody(client, gateway), or testing.sign_in(client, gateway)"
)

AROUND_A_CLASS: Final = "signed_in() protects functions: for the class {name}, {instead}"

MOUNTED_TWICE: Final = (
    "imagin_gateway is mounted twice around this application: keep one of gateway.asgi(...), gateway.wsgi(...) or the "
    "framework's own way"
)

ASGI_BY_WSGI: Final = (
    "this is an ASGI application: write app = gateway.asgi(app), and have an ASGI server serve it, such as uvicorn"
)

WSGI_BY_ASGI: Final = (
    "this is no ASGI application, which takes (scope, receive, send): for a WSGI one such as Flask's write "
    "app = gateway.wsgi(app), and have a WSGI server serve it, such as gunicorn"
)

WRONG_PREFIX: Final = (
    "this application is served below {root!r}, where imagin_gateway's mount_path {mount!r} is not: "
    'write mount_path = "{root}/connexion" in the settings, and begin the prefixes of `protect` and `landings` '
    "with {root!r} too"
)

PROTECTED_ELSEWHERE: Final = (
    "this application is served below {root!r}, where the settings protect nothing by the prefixes {prefixes}: begin "
    "them with {root!r}"
)

HOOKS_WITHOUT_LOOP: Final = (
    "under WSGI no event loop runs the hooks {names}: write them as plain functions (def, not async def)"
)

HOOKS_OFFLOADED: Final = (
    "the hooks {names} are coroutines, which run under asyncio with the gateway's own threads: write them as plain "
    "functions, or leave `offload` out"
)

NOT_ASYNCIO: Final = (
    "no asyncio loop runs here, for which the gateway has threads of its own: under trio, write "
    "gateway.asgi(app, offload=trio.to_thread.run_sync)"
)
