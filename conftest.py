pytest_plugins = ["dashboard.tests.browser"]
