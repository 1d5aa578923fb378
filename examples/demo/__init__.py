"""The demonstration: a host application, the gateway in front of it, and three simulated portals."""
