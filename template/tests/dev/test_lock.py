import os
from pathlib import Path

import pytest

from app.dev.lock import Holder, LockedError, hold, holder


class TestHold:
    def test_names_the_holder(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with hold(path, command="app dev", url="http://127.0.0.1:8000"):
            expected = Holder(pid=os.getpid(), command="app dev", url="http://127.0.0.1:8000")
            assert holder(path) == expected
            with pytest.raises(LockedError) as caught, hold(path, command="app db check"):
                pass
            assert caught.value.holder == expected

    def test_is_released_at_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        assert holder(path) is None
        with hold(path, command="first"):
            pass
        assert holder(path) is None
        with hold(path, command="second"):
            pass
