"""One process of several that share a store: posts one answer from many browsers at once."""

from __future__ import annotations

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

from imagin_gateway import Gateway, Settings
from imagin_gateway.events import CallSink
from tests.client import Client, host_wsgi, over_wsgi
from tests.clock import ManualClock
from tests.flows.saml_house import CRETEIL


def main(file: str) -> None:
    told: dict[str, Any] = json.loads(Path(file).read_text())
    settings = Settings.load(**told["settings"])
    with Gateway(settings, clock=ManualClock(), sink=CallSink(lambda line: None), sends_mail=False) as gateway:
        app = gateway.wsgi(host_wsgi)
        barrier = Barrier(told["browsers"])
        encoded = base64.b64encode(told["message"].encode()).decode()

        def once(number: int) -> str:
            client = Client(over_wsgi(app))
            barrier.wait()
            reply = client.post(f"/connexion/portail/{CRETEIL}/acs", {"SAMLResponse": encoded})
            landed = client.follow(reply)
            return f"{reply.status}/{landed.status if 'ig-session' in client.cookies else 'nobody'}"

        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        with ThreadPoolExecutor(told["browsers"]) as pool:
            sys.stdout.write("\n".join(pool.map(once, range(told["browsers"]))))


if __name__ == "__main__":
    main(sys.argv[1])
