"""`python -m scripts.benchmarks`."""

import sys

if __name__ == "__main__":
    # Within the guard: the rivals' process imports this module again, and shall not carry Spark's client.
    from scripts.benchmarks.cli import run_command

    sys.exit(run_command(sys.argv[1:]))
