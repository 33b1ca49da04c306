"""A segment version to an HTML report: `segmentation report` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["report", *sys.argv[1:]])
