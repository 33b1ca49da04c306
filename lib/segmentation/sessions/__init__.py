"""Whose an event is, and which of a person's events make one visit."""
