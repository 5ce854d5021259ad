"""Charts as SVG and the HTML page around them, of whatever is to be shown; knows nothing of routing."""
