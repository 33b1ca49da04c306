"""What every room may import: table schemas, and the errors a user can meet."""
