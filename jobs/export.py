"""Published segments to their destinations: `segmentation export` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["export", *sys.argv[1:]])
