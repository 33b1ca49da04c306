"""Everyone to a segment, as a candidate version: `segmentation assign` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["assign", *sys.argv[1:]])
