"""Features to a model: `segmentation train` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
