"""The report of a segment version: summaries of tables, and one page of HTML made from them alone."""
