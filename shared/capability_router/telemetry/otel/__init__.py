"""OpenTelemetry spans and metrics of a router. Needs `opentelemetry-api`; the application brings the SDK."""
