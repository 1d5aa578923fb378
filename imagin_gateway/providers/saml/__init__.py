"""SAML 2.0, service provider side: Web Browser SSO profile, both ways in.

How an answer is read, in this order (`reader`, then `profile`):

1. `documents`: a size cap, then one hardened parse of the received bytes;
2. `schema`: the OASIS schemas, on that very tree;
3. `shape`: one Assertion, signatures only where SAML puts them, each naming its parent;
4. `signature`: verified in the process with the keys of that one portal's identity-provider role;
5. the canonical bytes that were signed are parsed again, and nothing else is read from there on;
6. `decryption`, for what is encrypted: out of those bytes, then steps 2 to 5 once more;
7. `profile`: one function for each rule of the standard.

Logout takes the same way (`bindings`, then `logout`). `source` has the portal's
metadata and renews it; `own_metadata` writes ours. Whatever raises on the way, the
person is refused. pysaml2 gives the schemas and builds what we send; it verifies
nothing here.
"""
