"""Forms posted to us come from our own pages, opened by this same browser."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Final

from imagin_gateway.errors import Code, RequestRefused
from imagin_gateway.exchange import Params, Response, see_other
from imagin_gateway.flows.house import House, Visit
from imagin_gateway.keys import digest

FIELD = "formulaire"
REMEMBERED: Final = timedelta(minutes=30)
"""How long a form that did its work is known again: the longest that a step of a journey is kept."""


def form_token(house: House, visit: Visit, about: str = "") -> str:
    """Return the token that goes into a form: signed, and bound to the browser's own cookie.

    Args:
        house: signs.
        visit: whose browser.
        about: what the page shows (a ticket, a link), when another tab may change what the cookies say meanwhile.
    """
    visit.forms.append(about)
    return house.keys.signer("form").sign(_bound(visit, about))


def of_session(house: House, visit: Visit) -> str:
    """Return what a form is about that changes the account, or the sessions, of whoever is signed in.

    The page may stay open while its session ends and somebody else signs in with the same browser: what was typed
    or pressed for one must not reach the other. Bound to the cookie, whatever it is worth: that a session has ended
    meanwhile is told as such.
    """
    return digest(visit.request.cookies.get(house.settings.cookie_name("session"), ""))


def _bound(visit: Visit, about: str) -> str:
    return digest(f"{visit.browser}\x00{about}")


def posted(house: House, visit: Visit, about: str = "") -> Params:
    """Return the fields of a form, once it is known to come from our own page.

    The token always decides. Where the browser also tells the site the form came
    from, that must be ours (ASVS 3.5.1, 3.5.3): pages are sent with `no-referrer`,
    so honest browsers say `Origin: null` here and tell the rest by Sec-Fetch-Site.

    A script sends the same fields as JSON. That it could tells nothing of where it came from:
    the token is asked for all the same.

    Raises:
        RequestRefused: the form is of another site, of another browser, or too old.
    """
    headers = visit.request.headers
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        raise RequestRefused("a form came from another site", code=Code.CROSS_SITE)
    origin = headers.get("origin")
    if origin is not None and origin not in ("null", house.settings.base_url):
        raise RequestRefused("a form came from another origin", code=Code.CROSS_SITE)
    form = _sent(visit)
    bound = house.keys.signer("form").unsign(form.get(FIELD, ""))
    if visit.new_browser or bound is None or not hmac.compare_digest(bound, _bound(visit, about)):
        raise RequestRefused("the form's token does not fit this browser", code=Code.FORM_EXPIRED)
    return form


def did(house: House, visit: Visit, about: str, page: str) -> None:
    """Remember that the form about this did what it does once, and which page tells of it.

    Browsers send a form again when somebody comes back to the page that answered it: some ask, Safari does not.

    Args:
        house: keeps it.
        visit: whose browser.
        about: what the form's token was made with.
        page: path where the person sees what was done.
    """
    done = {"page": page, "browser": digest(visit.browser)}
    house.keep(_done(_bound(visit, about)), done, REMEMBERED)


def sent_again(house: House, visit: Visit) -> Response | None:
    """Return the way to the page that tells what this form did, when it was sent before; it does nothing more."""
    bound = house.keys.signer("form").unsign(_sent(visit).get(FIELD, ""))
    done = house.peek(_done(bound)) if bound is not None and not visit.new_browser else None
    if done is None or done["browser"] != digest(visit.browser):
        return None
    return see_other(str(done["page"]))


def _done(bound: str) -> str:
    return digest(f"form done\x00{bound}")


def _sent(visit: Visit) -> Params:
    """Return the fields of a form, or of a script's object: there, nothing that this page does not take."""
    if not visit.request.sends_json:
        return visit.request.form
    if visit.takes is None:
        raise RequestRefused("no JSON is taken here", code=Code.MEDIA_TYPE)
    fields = visit.request.fields
    if not set(fields) <= {*visit.takes, FIELD}:
        raise RequestRefused("a member is none of this form's", code=Code.FIELD_UNKNOWN)
    return fields
