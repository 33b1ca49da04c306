"""Sources to events: `segmentation ingest` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["ingest", *sys.argv[1:]])
