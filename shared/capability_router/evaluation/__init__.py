"""What answers are worth, by an evaluator that is asked beside the traffic, within money, and not of itself."""
