"""Bringing published segments to where they are used: who is delivered, in which bytes, and what changed."""
