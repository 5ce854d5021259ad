"""From a file, a mapping or keywords to settings: reading, units, waits, the words allowed, and what is wrong."""
