"""One module a stage: read, transform, write, each short enough to read in one look."""
