"""Events and sessions to features: `segmentation features` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["features", *sys.argv[1:]])
