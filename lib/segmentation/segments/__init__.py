"""Versions of segments: who is in which, what changed and why, whether it may be published, and the way back."""
