"""The simulated providers' HTTP: ports, replies whole, streamed or cut, and their JSON."""
