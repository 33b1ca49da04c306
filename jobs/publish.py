"""A candidate version to the current one: `segmentation publish` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["publish", *sys.argv[1:]])
