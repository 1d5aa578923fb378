"""Doors as people see them: what the policy's table says, with links that lead to this gateway."""

from __future__ import annotations

from imagin_gateway.flows.house import House, Visit
from imagin_gateway.identity import Activity, Door
from imagin_gateway.pages.views import DoorCard, DoorView, Link
from imagin_gateway.policy import Decision, DoorInfo, Text
from imagin_gateway.settings.proconnect import PROCONNECT


def enter_href(house: House, visit: Visit, door: DoorInfo, next_page: str) -> str:
    """Return where the button of a door leads: to a login here, or to the portal when there is no federation."""
    if door.id == Door.DIRECT:
        below = "/direct"
    elif door.id in house.portals:
        below = f"/portail/{door.id}"
    else:
        return door.link
    return house.href(visit, below, next=next_page)


def page_href(house: House, visit: Visit, door: str, next_page: str) -> str:
    """Return the end page of a door."""
    return house.href(visit, f"/acces/{door}", next=next_page)


def cards(house: House, visit: Visit, doors: tuple[str, ...], next_page: str) -> list[DoorCard]:
    """Return doors among others."""
    return [_card(house, visit, house.policy.door(door), next_page) for door in doors]


def _card(house: House, visit: Visit, door: DoorInfo, next_page: str) -> DoorCard:
    if door.place is not None:
        text = house.text(visit, "chooser.arena_card", serves=door.serves)
    else:
        text = house.text(visit, "chooser.direct_card")
    # Without a federation the end page says where to click: nobody is sent past it.
    straight = house.settings.direct_links and enter_href(house, visit, door, next_page) != door.link
    href = (enter_href if straight else _page_of)(house, visit, door, next_page)
    return DoorCard(card_name(house, visit, door), text, href)


def _page_of(house: House, visit: Visit, door: DoorInfo, next_page: str) -> str:
    return page_href(house, visit, door.id, next_page)


def card_name(house: House, visit: Visit, door: DoorInfo) -> str:
    """Return the name of a door among others: people know their académie."""
    if door.place is not None:
        return house.text(visit, "chooser.academie", place=visit.said(door.place))
    return visit.said(door.name)


def view(
    house: House, visit: Visit, door: DoorInfo, back: Link, next_page: str, why: Decision | None = None
) -> DoorView:
    """Return everything the end page of a door says."""
    said = visit.said
    second = why.second if why else ()
    lost_links = []
    if door.recovery_link:
        lost_links.append(Link(door.recovery_link.removeprefix("https://"), door.recovery_link))
    elif door.id == Door.DIRECT:
        lost_links.append(Link(house.text(visit, "login.forgotten"), house.href(visit, "/mot-de-passe/oubli")))
    elif door.recovery:
        lost_links.append(Link(door.host, door.link))
    href = enter_href(house, visit, door, next_page)
    steps_needed = href == door.link or door.id == Door.DIRECT
    # Whoever looks for the link inside a portal may find the one of another académie's application.
    beware = door.beware if steps_needed else ()
    return DoorView(
        title=said(door.title),
        why=said(why.sentence) if why else " ".join(map(said, door.for_whom)),
        button=Link(said(door.button), href),
        host=house.settings.host if door.id == Door.DIRECT else door.host,
        # With a federation the button signs in by itself: nothing to click inside the portal.
        where=tuple(map(said, door.where)) if steps_needed else (),
        credentials=tuple(map(said, door.credentials)),
        not_these=tuple(map(said, door.not_these)),
        lost=tuple(map(said, door.recovery)),
        lost_links=tuple(lost_links),
        lost_first=bool(why and why.recover_first),
        offers=tuple(". ".join(map(said, filter(None, (offer.label, offer.note)))) for offer in door.offers),
        not_offered=tuple(map(said, _not_offered(house, door))),
        notes=tuple(dict.fromkeys(map(said, (*(why.notes if why else ()), *beware)))),
        trouble_title=said(door.trouble_title),
        trouble=tuple(map(said, door.trouble)),
        trouble_links=(
            Link(house.text(visit, "refusal.direct"), page_href(house, visit, Door.DIRECT, next_page)),
            Link(house.text(visit, "door.questions"), house.href(visit, "/question", next=next_page)),
        ),
        second=tuple(
            Link(said(house.policy.door(other).name), page_href(house, visit, other, next_page)) for other in second
        ),
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


def door_name(house: House, visit: Visit, door: str) -> str:
    """Return what people call a door, inside a sentence."""
    known = house.policy.doors.get(door)
    if door == PROCONNECT:
        return house.text(visit, "proconnect.name")
    if known is None:
        return house.text(visit, "refusal.some_portal")
    name = visit.said(known.name)
    # English begins with the place, whose name keeps its capital: “Créteil portal”.
    if known.place is not None and name.startswith(visit.said(known.place)):
        return name
    return name[:1].lower() + name[1:]


def recovery_links(house: House, visit: Visit) -> list[Link]:
    """Return where academic credentials are recovered, one link an académie."""
    return [
        Link(
            f"{visit.said(door.name)} ({(door.recovery_link or door.link).removeprefix('https://')})",
            door.recovery_link or door.link,
        )
        for door in house.policy.doors.values()
        if door.id != Door.DIRECT
    ]
