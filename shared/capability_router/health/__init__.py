"""How each candidate fares: breaker, gates, limiter, latency, one board over all."""
