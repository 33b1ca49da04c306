"""What each segment is: statistics, names, rules in words, and the report."""
