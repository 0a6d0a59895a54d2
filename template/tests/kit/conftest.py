"""Hypothesis: few examples by default, the same in each run; `HYPOTHESIS_PROFILE=thorough` tries many."""

import os
from pathlib import Path

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(Path(".pytest_cache") / "hypothesis")
settings.register_profile("quick", max_examples=25, deadline=None, database=None, derandomize=True)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
