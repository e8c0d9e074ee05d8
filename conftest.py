import gc
import os

from hypothesis import settings

pytest_plugins = ["dashboard.tests.browser"]
if os.environ.get("HELIOX_CITUS") == "1":
    pytest_plugins.append("dashboard.tests.on_citus")

# A busy machine is no error.
settings.register_profile("heliox", deadline=None)
settings.load_profile("heliox")


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking through it for garbage took a seventh of the CPU of pages."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
