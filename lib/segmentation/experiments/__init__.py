"""Whether a campaign works: control groups, and what they show."""
