"""OpenID Connect 1.0, relying party: authorization code with PKCE, and nothing else.

Theory of operation, in the order of the files:

- `configuration`: what the settings must say before anything opens;
- `bounded`, `wire`: every call to a portal, bounded in time and size, to its own hosts only;
- `discovery`, `keyset`: what the portal publishes, kept for a while (`kept`);
- `request`: leaving for the portal, and changing the code into tokens;
- `signed`: a JWT becomes claims only once its signature is verified;
- `claims`, `userinfo`: each check a function of its own, quoting its section;
- `person`: what all of it proves about somebody;
- `portal`: the order of the steps.

Two choices the standards leave open: a token without `kid` while several keys fit
is refused (Core 1.0 §10.1 asks the provider for a `kid` then), and an unsigned
token is refused even when it came straight from the token endpoint.
"""
