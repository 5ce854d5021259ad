"""What leaves the process about a decision: records, redacted."""
