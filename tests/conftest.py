"""What holds for all tests: which examples a property is given, and that their time is nobody's business.

A change is judged by the same examples each time: with new ones at every run, a property could fail on a
change that has nothing to do with it, and pass when it is run again. Exploring is work of its own:
`--examples N` (`make fuzz`) draws at random, N examples of every property that does not say its own number.
Without it each has a hundred, a slice of them where the test says so, or its own number.
"""

import pytest
from hypothesis import settings

# Machines are shared and slow at times; benches measure, tests do not.
settings.register_profile("entrepot", deadline=None, derandomize=True)
settings.load_profile("entrepot")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=int, default=0, help="examples of each property, drawn at random")


def pytest_configure(config: pytest.Config) -> None:
    if examples := config.getoption("--examples"):
        settings.register_profile("fuzz", deadline=None, derandomize=False, max_examples=examples)
        settings.load_profile("fuzz")
