"""The commands `explain` and `replay`: requests that are not sent, what they are made of and what is shown."""
