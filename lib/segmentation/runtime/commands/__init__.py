"""Commands, one module a group; each module lists its own in `COMMANDS`."""
