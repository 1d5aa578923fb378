"""Measurements side by side with peers: one script a subject, `make bench` runs them all."""
