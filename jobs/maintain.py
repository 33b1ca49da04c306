"""The tables looked after: `segmentation maintain` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["maintain", *sys.argv[1:]])
