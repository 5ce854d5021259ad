"""What is found in a request's text before it is planned, and what that requires of the models: labels, never the
text.
"""
