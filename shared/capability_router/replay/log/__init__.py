"""Decision logs as a replay reads them: one record a request, in the order in which the requests began."""
