"""Who is in which audience: `segmentation audiences` for spark-submit, with the same options."""

import sys

from segmentation.runtime.cli import main

if __name__ == "__main__":
    main(["audiences", *sys.argv[1:]])
