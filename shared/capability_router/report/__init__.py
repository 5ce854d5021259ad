"""The report page of decision logs: the data read from them, figures, charts, and the page."""
