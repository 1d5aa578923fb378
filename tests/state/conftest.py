from tests.state.engines import fresh_url, redis_server, store, url

__all__ = ["fresh_url", "redis_server", "store", "url"]
