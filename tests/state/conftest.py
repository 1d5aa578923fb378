from tests.state.engines import cluster, fresh_url, redis_server, sentinelled, store, url

__all__ = ["cluster", "fresh_url", "redis_server", "sentinelled", "store", "url"]
