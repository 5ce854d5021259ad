"""Charts as SVG, tables, and the HTML page around them, for any data; knows nothing of routing."""
