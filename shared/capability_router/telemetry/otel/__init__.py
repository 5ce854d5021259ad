"""OpenTelemetry's spans and metrics of what a router does. Needs `opentelemetry-api`; the SDK is the application's."""
