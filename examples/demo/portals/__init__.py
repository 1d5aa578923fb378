"""The simulated portals of the demonstration."""
