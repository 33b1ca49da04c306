"""Events to persons: `segmentation identity` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["identity", *sys.argv[1:]])
