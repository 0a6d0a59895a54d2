"""The output of a process that runs beside a test."""

import queue
import subprocess
import threading
import time
from typing import Final

END: Final = None


class ProcessOutput:
    """The lines that a process prints. A thread reads them, since a full pipe would stop the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def read_until(self, text: str, seconds: float) -> str:
        """Return the lines up to the next one that contains the text."""
        deadline, seen = time.monotonic() + seconds, ""
        while text not in seen:
            line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            assert line is not END, seen
            seen += line
        return seen

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(END)
