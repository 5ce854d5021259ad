"""How well the token estimate meets a real tokenizer: see __main__."""
