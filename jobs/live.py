"""People brought into live audiences: `segmentation live` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["live", *sys.argv[1:]])
