"""The report page of decision logs: what is read of them, figures of it, charts, and the page around them."""
