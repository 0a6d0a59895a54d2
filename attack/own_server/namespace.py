"""Runs a command in namespaces of its own: a network with loopback only, host names, and processes that end with it."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attack.own_server.releases import ADDRESSES

SETUP: Final = 'ip link set lo up && mount --bind "$1" /etc/hosts && shift && exec "$@"'


def command_line(work: Path, command: Sequence[str]) -> list[str]:
    """Return the command that runs another one in namespaces, and write the host names to `work`."""
    hosts = work / "hosts"
    lines = ["127.0.0.1 localhost", "127.0.0.1 api.example.test"]
    lines += [f"127.0.1.{number} {name}" for number, name in enumerate(ADDRESSES, 1) if name != "caddy"]
    hosts.write_text("\n".join(lines) + "\n", encoding="utf-8")
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    own = ["unshare", *user, "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*own, "sh", "-c", SETUP, "sh", str(hosts), *command]


if __name__ == "__main__":
    sys.exit(subprocess.run(command_line(Path(sys.argv[1]), sys.argv[2:]), check=False).returncode)
