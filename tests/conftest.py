"""What holds for all tests: how long an example takes is no property of the product.

`--examples N` gives every property N examples (`make fuzz`); without it each has a slice of a hundred, or
what it says itself.
"""

import pytest
from hypothesis import settings

# Machines are shared and slow at times; benches measure, tests do not.
settings.register_profile("entrepot", deadline=None)
settings.load_profile("entrepot")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=int, default=0, help="examples of each property that is fuzzed")


def pytest_configure(config: pytest.Config) -> None:
    if examples := config.getoption("--examples"):
        settings.register_profile("fuzz", deadline=None, max_examples=examples)
        settings.load_profile("fuzz")
