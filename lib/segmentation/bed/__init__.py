"""The bed of known truth: a simulated world, and the score of a warehouse against it."""
