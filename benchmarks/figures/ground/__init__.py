"""What the figures are measured on: fake models, a server on loopback, a fleet in virtual time and its witness."""
