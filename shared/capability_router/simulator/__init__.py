"""A fleet of simulated providers over real HTTP on loopback."""
