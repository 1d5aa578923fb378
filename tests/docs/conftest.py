"""What the tests of the documentation share."""

from __future__ import annotations

from tests.state.engines import redis_server as redis_server
