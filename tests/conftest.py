"""What holds for all tests: how long an example takes is no property of the product."""

from hypothesis import settings

# Machines are shared and slow at times; benches measure, tests do not.
settings.register_profile("entrepot", deadline=None)
settings.load_profile("entrepot")
