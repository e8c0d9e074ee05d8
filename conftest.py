from hypothesis import settings

pytest_plugins = ["dashboard.tests.browser"]

# A busy machine is no error.
settings.register_profile("heliox", deadline=None)
settings.load_profile("heliox")
