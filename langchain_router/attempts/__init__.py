"""One attempt of a routed call: an ordinary call of one model, what is heard of it, and what its failures mean."""
