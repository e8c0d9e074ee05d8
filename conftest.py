import gc
import os

from hypothesis import HealthCheck, settings

pytest_plugins = ["dashboard.tests.browser"]
if os.environ.get("HELIOX_CITUS") == "1":
    pytest_plugins.append("dashboard.tests.on_citus")

# A busy machine is no error. Examples may share a fixture: each empties the tables that it fills.
# CI tries the same examples each time: no change is refused for a fault that another made.
settings.register_profile(
    "heliox",
    derandomize=os.environ.get("CI", "").lower() in {"1", "true"},
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("heliox")


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking through it for garbage took a seventh of the CPU of pages."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
