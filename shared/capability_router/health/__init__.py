"""The health of the candidates: breakers, rate-limit gates, concurrency limits, latencies, and one board over all."""
