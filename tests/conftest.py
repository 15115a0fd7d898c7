"""What holds for every test: hypothesis draws the same examples in each run of CI, and is not hurried;
whoever leaves a database open fails.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

from tests.support import connections

# A busy machine is not a fault of the code under test: no example is judged by its time.
settings.register_profile("nodegate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("nodegate"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "nodegate")

connections.watch()
