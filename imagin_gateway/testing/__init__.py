"""For the tests of a host: somebody signed in without any portal, a portal that is a function call, a clock, a mailbox.

::

    with Gateway(testing.settings(tmp_path), clock=testing.ManualClock(), sends_mail=False) as gateway:
        who = testing.sign_in(client, gateway, testing.someone(door="direct"))

`client` is the test client of Flask, Django, Starlette, FastAPI or Litestar, asked at
`testing.BASE_URL`. Nothing here works with settings that are not those of development.
"""

from imagin_gateway.testing.clock import ManualClock as ManualClock
from imagin_gateway.testing.fake_portal import FakePortal as FakePortal
from imagin_gateway.testing.mailbox import Mail as Mail
from imagin_gateway.testing.mailbox import Mailbox as Mailbox
from imagin_gateway.testing.people import headers as headers
from imagin_gateway.testing.people import nobody as nobody
from imagin_gateway.testing.people import sign_in as sign_in
from imagin_gateway.testing.people import someone as someone
from imagin_gateway.testing.surroundings import BASE_URL as BASE_URL
from imagin_gateway.testing.surroundings import settings as settings
