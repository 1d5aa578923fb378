"""The words of every mail, in French then in English: no name, no identifier, never a password.

French typography: ’ and no-break spaces (U+00A0) before : ; ? ! and ».
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from imagin_gateway.local.mail_kinds import MailKind

_NOT_YOU: Final = (
    "Ce n’était pas vous\u00a0? Écrivez tout de suite à {contact}.",
    "Not you? Write to {contact} at once.",
)

CATALOGUE: Final[Mapping[MailKind, tuple[str, str, str]]] = MappingProxyType(
    {
        MailKind.RESET: (
            "Choisir un nouveau mot de passe – Choose a new password",
            """\
Une demande de nouveau mot de passe a été faite pour votre accès direct.

Ouvrez ce lien le {date} avant {heure} (heure de Paris)\u00a0:

{link}

Il fonctionne une seule fois.

Vous n’avez rien demandé\u00a0? Ne faites rien\u00a0: votre mot de passe reste le même.""",
            """\
A new password was requested for your direct access.

Open the link above before {time} on {day} (Paris time). It works once.

You asked for nothing? Do nothing: your password stays the same.""",
        ),
        MailKind.PASSWORD_CHANGED: (
            "Votre mot de passe a été changé – Your password was changed",
            """\
Le mot de passe de votre accès direct a été changé le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.

Ce n’était pas vous\u00a0? Demandez tout de suite un nouveau mot de passe sur {host}, puis écrivez à {contact}.""",
            """\
Your direct access password was changed on {day} at {time} (Paris time).

Was it you? Nothing to do.

Not you? Ask for a new password at once on {host}, then write to {contact}.""",
        ),
        MailKind.FIRST_CONNECTION: (
            "Première connexion à Imagin SIEC – First sign-in to Imagin SIEC",
            """\
Votre accès direct a servi pour la première fois le {date} à {heure} (heure de Paris).
Un mot de passe a été choisi.

"""
            + _NOT_YOU[0],
            """\
Your direct access was used for the first time on {day} at {time} (Paris time) and a password was chosen.

"""
            + _NOT_YOU[1],
        ),
        MailKind.ADDRESS_CODE_NEW: (
            "Confirmer votre adresse électronique – Confirm your e-mail address",
            """\
Tapez ce code dans la page restée ouverte, pour la nouvelle adresse\u00a0:

{code}

Il est valable jusqu’à {heure} (heure de Paris).

Vous n’avez rien demandé\u00a0? Ignorez ce message.""",
            """\
Type the code above in the page left open, for the new address.

It is valid until {time} (Paris time).

You asked for nothing? Ignore this message.""",
        ),
        MailKind.ADDRESS_CODE_FORMER: (
            "Changer d’adresse électronique – Change your e-mail address",
            """\
Une autre adresse électronique a été demandée pour votre accès direct.
Pour la permettre, tapez ce code dans la page restée ouverte, pour l’adresse actuelle\u00a0:

{code}

Il est valable jusqu’à {heure} (heure de Paris).

Vous n’avez rien demandé\u00a0? Ne donnez ce code à personne, changez de mot de passe sur {host}, \
puis écrivez à {contact}.""",
            """\
Another e-mail address was requested for your direct access.
To allow it, type the code above in the page left open, for the present address.

It is valid until {time} (Paris time).

You asked for nothing? Give this code to nobody, change your password on {host}, then write to {contact}.""",
        ),
        MailKind.ADDRESS_LEFT: (
            "Votre adresse électronique a changé – Your e-mail address has changed",
            """\
Une nouvelle adresse est enregistrée pour votre accès direct depuis le {date} à {heure} (heure de Paris).

"""
            + _NOT_YOU[0],
            """\
A new address is recorded for your direct access since {day} at {time} (Paris time).

"""
            + _NOT_YOU[1],
        ),
        MailKind.ADDRESS_TAKEN: (
            "Votre adresse électronique a changé – Your e-mail address has changed",
            """\
Depuis le {date} à {heure} (heure de Paris), les messages de votre accès direct arrivent ici.

Ce changement ne dispense pas de prévenir le service gestionnaire.

"""
            + _NOT_YOU[0],
            """\
Since {day} at {time} (Paris time), messages for your direct access come here.

This does not replace telling the managing office.

"""
            + _NOT_YOU[1],
        ),
        MailKind.AFTER_FAILURES: (
            "Connexion après plusieurs essais – Sign-in after several tries",
            """\
Une connexion à votre accès direct a réussi le {date} à {heure} (heure de Paris), après {failures} essais manqués.

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host} et écrivez à {contact}.""",
            """\
A sign-in to your direct access succeeded on {day} at {time} (Paris time) after {failures} failed tries.

Was it you? Nothing to do.

If not, change your password on {host} and write to {contact}.""",
        ),
        MailKind.NEW_CLIENT: (
            "Connexion depuis un nouvel appareil – Sign-in from a new device",
            """\
Une connexion à votre accès direct a réussi le {date} à {heure} (heure de Paris), \
depuis un navigateur que vous n’aviez pas encore utilisé.

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host} et écrivez à {contact}.""",
            """\
A sign-in to your direct access succeeded on {day} at {time} (Paris time), from a browser you had not used before.

Was it you? Nothing to do.

If not, change your password on {host} and write to {contact}.""",
        ),
        MailKind.FACTOR_ADDED: (
            "Un second facteur a été ajouté – A second factor was added",
            """\
Une application de codes ou une clé d’accès a été ajoutée à votre accès direct, \
le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
A code application or a passkey was added to your direct access on {day} at {time} (Paris time).

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.FACTOR_REMOVED: (
            "Un second facteur a été retiré – A second factor was removed",
            """\
Une application de codes ou une clé d’accès a été retirée de votre accès direct, \
le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
A code application or a passkey was removed from your direct access on {day} at {time} (Paris time).

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.FACTORS_CLEARED: (
            "Vos seconds facteurs ont été retirés – Your second factors were removed",
            """\
L’assistance a retiré tous les seconds facteurs de votre accès direct, le {date} à {heure} (heure de Paris).

Vous l’aviez demandé\u00a0? Connectez-vous, puis ajoutez-en un nouveau.

"""
            + _NOT_YOU[0],
            """\
The help desk removed every second factor of your direct access on {day} at {time} (Paris time).

Did you ask for it? Sign in, then add a new one.

"""
            + _NOT_YOU[1],
        ),
        MailKind.RECOVERY_CODES: (
            "De nouveaux codes de secours – New recovery codes",
            """\
De nouveaux codes de secours ont été faits pour votre accès direct, le {date} à {heure} (heure de Paris).
Les anciens ne servent plus.

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
New recovery codes were made for your direct access on {day} at {time} (Paris time). The former ones are dead.

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.RECOVERY_USED: (
            "Un code de secours a servi – A recovery code was used",
            """\
Un code de secours a servi pour votre accès direct, le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
A recovery code was used for your direct access on {day} at {time} (Paris time).

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.ACCOUNT_LINKED: (
            "Votre accès direct est relié à ProConnect – Your direct access is linked to ProConnect",
            """\
Votre accès direct a été relié à un compte ProConnect le {date} à {heure} (heure de Paris). Ce compte ouvre \
maintenant votre accès.

C’était vous\u00a0? Rien à faire.

Sinon, écrivez tout de suite à {contact}.""",
            """\
Your direct access was linked to a ProConnect account on {day} at {time} (Paris time). That account now opens \
your access.

Was it you? Nothing to do.

If not, write to {contact} at once.""",
        ),
        MailKind.ACCOUNT_UNLINKED: (
            "Votre accès direct n’est plus relié à ProConnect – Your direct access is no longer linked to ProConnect",
            """\
Votre accès direct n’est plus relié à un compte ProConnect depuis le {date} à {heure} (heure de Paris).

C’était vous\u00a0? Rien à faire.

Sinon, changez de mot de passe sur {host}, puis écrivez tout de suite à {contact}.""",
            """\
Your direct access is no longer linked to a ProConnect account since {time} on {day} (Paris time).

Was it you? Nothing to do.

If not, change your password on {host}, then write to {contact} at once.""",
        ),
        MailKind.LETTER_ISSUED: (
            "Un nouveau mot de passe provisoire – A new provisional password",
            """\
Un nouveau mot de passe provisoire a été émis pour votre accès direct le {date} à {heure} (heure de Paris), \
à la demande de l’assistance.
L’ancien ne fonctionne plus. Le nouveau vous est remis ou envoyé par l’assistance, jamais par courriel.

Vous l’avez demandé\u00a0? Rien d’autre à faire.

Sinon, écrivez tout de suite à {contact}.""",
            """\
A new provisional password was issued for your direct access on {day} at {time} (Paris time), by the help desk.
The former one no longer works. The help desk hands you the new one, or posts it; it is never sent by e-mail.

You asked for it? Nothing else to do.

If not, write to {contact} at once.""",
        ),
        MailKind.ACCOUNT_UNLOCKED: (
            "Votre accès direct est débloqué – Your direct access is unlocked",
            """\
L’assistance a débloqué votre accès direct le {date} à {heure} (heure de Paris).

Connectez-vous sur {host}. Un autre mot de passe pourra vous être demandé.

Vous n’avez rien demandé\u00a0? Écrivez tout de suite à {contact}.""",
            """\
The help desk unlocked your direct access on {day} at {time} (Paris time).

Sign in on {host}. You may be asked for another password.

You asked for nothing? Write to {contact} at once.""",
        ),
        MailKind.ACCOUNT_DISABLED: (
            "Votre accès direct est fermé – Your direct access is closed",
            """\
Votre accès direct a été fermé le {date} à {heure} (heure de Paris). Vos sessions sont terminées.

Ce n’était pas prévu\u00a0? Écrivez à {contact} ou au service qui gère votre convocation.""",
            """\
Your direct access was closed on {day} at {time} (Paris time). Your sessions have ended.

You did not expect this? Write to {contact} or to the office that manages your convocation.""",
        ),
        MailKind.ACCOUNT_ENABLED: (
            "Votre accès direct est rouvert – Your direct access is open again",
            """\
Votre accès direct a été rouvert le {date} à {heure} (heure de Paris).

Pour entrer, demandez un nouveau mot de passe sur {host}.

Vous n’avez rien demandé\u00a0? Écrivez à {contact}.""",
            """\
Your direct access was opened again on {day} at {time} (Paris time).

To enter, ask for a new password on {host}.

You asked for nothing? Write to {contact}.""",
        ),
        MailKind.CHANGE_REQUIRED: (
            "Un autre mot de passe vous sera demandé – Another password will be asked of you",
            """\
Depuis le {date} à {heure} (heure de Paris), votre accès direct demande un autre mot de passe.
C’est une précaution. Vos sessions sont terminées.

Connectez-vous sur {host} comme d’habitude\u00a0: la page vous guidera.

Une question\u00a0? Écrivez à {contact}.""",
            """\
Since {day} at {time} (Paris time), your direct access asks for another password.
This is a precaution. Your sessions have ended.

Sign in on {host} as usual: the page will guide you.

A question? Write to {contact}.""",
        ),
    }
)
"""By mail: its subject, in both languages; its words in French; in English."""

END: Final = (
    "\n\nPersonne du SIEC ne vous demandera votre mot de passe.\nImagin SIEC, {contact}",
    "\n\nNobody at SIEC will ask for your password.\nImagin SIEC, {contact}",
)
"""What every mail ends with, in French and in English."""
