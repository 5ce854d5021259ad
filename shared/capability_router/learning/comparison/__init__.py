"""Whether routing pays on logged outcomes: the learned model on unseen rows, against what needs no learning."""
