"""Reading a prompt without a model: its question, sentences, sums, labels, tool arguments and JSON."""
