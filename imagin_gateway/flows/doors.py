"""Doors as people see them: what the policy's table says, with links that lead to this gateway."""

from __future__ import annotations

from urllib.parse import urlencode

from imagin_gateway.flows.house import House
from imagin_gateway.identity import Activity, Door
from imagin_gateway.pages.views import DoorCard, DoorView, Link
from imagin_gateway.policy import Decision, DoorInfo, Text
from imagin_gateway.settings.proconnect import PROCONNECT


def enter_href(house: House, door: DoorInfo, next_page: str) -> str:
    """Return where the button of a door leads: to a login here, or to the portal when there is no federation."""
    if door.id == Door.DIRECT:
        below = "/direct"
    elif door.id in house.portals:
        below = f"/portail/{door.id}"
    else:
        return door.link
    return house.path(below) + _query(next_page)


def page_href(house: House, door: str, next_page: str) -> str:
    """Return the end page of a door."""
    return house.path(f"/acces/{door}") + _query(next_page)


def _query(next_page: str) -> str:
    return "?" + urlencode({"next": next_page}) if next_page else ""


def cards(house: House, doors: tuple[str, ...], next_page: str) -> list[DoorCard]:
    """Return doors among others."""
    return [_card(house, house.policy.door(door), next_page) for door in doors]


def _card(house: House, door: DoorInfo, next_page: str) -> DoorCard:
    if door.place is not None:
        name = house.pages.text("chooser.academie", place=door.place.fr)
        text = house.pages.text("chooser.arena_card", serves=door.serves)
    else:
        name, text = door.name.fr, house.pages.text("chooser.direct_card")
    return DoorCard(name, text, page_href(house, door.id, next_page))


def view(house: House, door: DoorInfo, back: Link, next_page: str, why: Decision | None = None) -> DoorView:
    """Return everything the end page of a door says."""
    second = why.second if why else ()
    lost_links = []
    if door.recovery_link:
        lost_links.append(Link(door.recovery_link.removeprefix("https://"), door.recovery_link))
    elif door.id == Door.DIRECT:
        lost_links.append(Link(house.pages.text("login.forgotten"), house.path("/mot-de-passe/oubli")))
    elif door.recovery:
        lost_links.append(Link(door.host, door.link))
    href = enter_href(house, door, next_page)
    steps_needed = href == door.link or door.id == Door.DIRECT
    # Whoever looks for the link inside a portal may find the one of another académie's application.
    beware = door.beware if steps_needed else ()
    return DoorView(
        title=door.title.fr,
        why=why.sentence.fr if why else " ".join(each.fr for each in door.for_whom),
        button=Link(door.button.fr, href),
        host=house.settings.host if door.id == Door.DIRECT else door.host,
        # With a federation the button signs in by itself: nothing to click inside the portal.
        where=tuple(step.fr for step in door.where) if steps_needed else (),
        credentials=tuple(each.fr for each in door.credentials),
        not_these=tuple(each.fr for each in door.not_these),
        lost=tuple(each.fr for each in door.recovery),
        lost_links=tuple(lost_links),
        lost_first=bool(why and why.recover_first),
        offers=tuple(f"{offer.label.fr}. {offer.note.fr}" if offer.note else offer.label.fr for offer in door.offers),
        not_offered=tuple(text.fr for text in _not_offered(house, door)),
        notes=tuple(dict.fromkeys(note.fr for note in (*(why.notes if why else ()), *beware))),
        trouble_title=door.trouble_title.fr,
        trouble=tuple(each.fr for each in door.trouble),
        trouble_links=(
            Link(house.pages.text("refusal.direct"), page_href(house, Door.DIRECT, next_page)),
            Link(house.pages.text("door.questions"), house.path("/question") + _query(next_page)),
        ),
        second=tuple(Link(house.policy.door(other).name.fr, page_href(house, other, next_page)) for other in second),
        back=back,
    )


def _not_offered(house: House, door: DoorInfo) -> list[Text]:
    """Return what only other doors open, in the words of the first that does."""
    elsewhere: dict[Activity, Text] = {}
    for other in house.policy.doors.values():
        for offer in other.offers:
            if offer.activity not in door.activities:
                elsewhere.setdefault(offer.activity, offer.label)
    return list(elsewhere.values())


def door_name(house: House, door: str) -> str:
    """Return what people call a door, inside a sentence."""
    known = house.policy.doors.get(door)
    if door == PROCONNECT:
        return house.pages.text("proconnect.name")
    if known is None:
        return house.pages.text("refusal.some_portal")
    name = known.name.fr
    return name[:1].lower() + name[1:]


def recovery_links(house: House) -> list[Link]:
    """Return where academic credentials are recovered, one link an académie."""
    return [
        Link(
            f"{door.name.fr} ({(door.recovery_link or door.link).removeprefix('https://')})",
            door.recovery_link or door.link,
        )
        for door in house.policy.doors.values()
        if door.id != Door.DIRECT
    ]
