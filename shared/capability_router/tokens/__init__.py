"""Tokens before a call: of text, of attached parts, of tools and messages."""
