"""Connections and streams of clients that are not ours: SDKs keep them over their time, and leave them open."""
