"""What is measured of each person: declared aggregates over what they did, at the end of a date."""
