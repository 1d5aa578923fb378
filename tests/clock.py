"""A clock that tests move."""

from imagin_gateway.testing.clock import ManualClock as ManualClock
