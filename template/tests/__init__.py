"""The tests read neither `.env` nor settings from the shell: those may name a database that must not be touched.

Python imports this before any other test file, so no settings class reads `.env`, in processes of the tests either.
"""

from app.core.config.settings import ModuleSettings, Settings

for _cls in (ModuleSettings, Settings):
    # Classes that are defined later inherit this.
    _cls.model_config["env_file"] = None
