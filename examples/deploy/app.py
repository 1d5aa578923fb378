"""What the servers load: the application of the host, behind the gateway. `wsgi` for gunicorn, `asgi` for uvicorn."""

from __future__ import annotations

import os

from host import asgi_host, wsgi_host

from imagin_gateway import Gateway, Settings

# Each worker builds its own after it was forked: connections and threads do not cross a fork.
gateway = Gateway(
    Settings.load(os.environ.get("IMAGIN_SETTINGS", "/etc/imagin/gateway.toml")),
    sends_mail=False,  # imagin-mail.service does
)


def __getattr__(name: str) -> object:
    # Only the one that is asked for is made.
    if name == "wsgi":
        return gateway.wsgi(wsgi_host)
    if name == "asgi":
        return gateway.asgi(asgi_host)
    raise AttributeError(name)
