"""The OpenID Connect room, against a provider of the suite's own that can be made to lie."""
