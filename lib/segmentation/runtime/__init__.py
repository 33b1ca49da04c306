"""Running: the Spark session, the warehouse, the record of runs, progress, and the command line."""
