"""What is found in a request's text before it is planned, and what that asks of the models: labels, never the text."""
