"""One validated configuration: a TOML file, then the environment over it.

Everything that can be wrong is told at once, with the key and what to write.
There is no default secret. A secret may be written `env:NAME` or `file:/path`.
"""

from imagin_gateway.settings.appearance import Appearance as Appearance
from imagin_gateway.settings.direct import Accounts as Accounts
from imagin_gateway.settings.direct import Mail as Mail
from imagin_gateway.settings.direct import Passwords as Passwords
from imagin_gateway.settings.direct import SecondFactor as SecondFactor
from imagin_gateway.settings.header import HeaderPortal as HeaderPortal
from imagin_gateway.settings.house import Events as Events
from imagin_gateway.settings.house import Keys as Keys
from imagin_gateway.settings.house import Protected as Protected
from imagin_gateway.settings.oidc import OidcPortal as OidcPortal
from imagin_gateway.settings.paths import under as under
from imagin_gateway.settings.portal import LinkPortal as LinkPortal
from imagin_gateway.settings.proconnect import ProConnect as ProConnect
from imagin_gateway.settings.saml import SamlPortal as SamlPortal
from imagin_gateway.settings.sessions import Sessions as Sessions
from imagin_gateway.settings.sessions import State as State
from imagin_gateway.settings.whole import PortalSettings as PortalSettings
from imagin_gateway.settings.whole import Settings as Settings
