"""Events to sessions: `segmentation sessions` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["sessions", *sys.argv[1:]])
