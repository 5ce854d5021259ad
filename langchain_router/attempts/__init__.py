"""One attempt of a routed call: an ordinary call of one model, its reply, and the classification of its errors."""
