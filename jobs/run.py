"""The whole pipeline: `segmentation run` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
