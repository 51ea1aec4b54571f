"""Makes the seeds and their mutations importable beside the tests, and the parties of the identity tests."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "identity")]
