"""What must not leave the machine with a report: who uses it, what it is called, where their files are.

The steps collect none of that. But a message of an error or of a library may hold a path, and a path a name, so every
text of the report goes through here before it is written.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# Names that a vendor or a system gave: they tell nothing of a person, and taking them out would garble the report.
GENERIC = {
    *("root", "user", "admin", "localhost", "nvidia", "jetson", "ubuntu", "debian", "linux", "docker", "container"),
    *("tegra", "tegra-ubuntu", "orin", "nano", "edge-sr", "edge_sr", "runner", "cuda", "onnxruntime", "tensorrt"),
}
OURS = {"name", "status", "kind"}  # of steps and the like: a user may well be called "doctor"
_HOMES = re.compile(r"(/home|/Users|/var/home)/[^/\s'\":;,]+")


@dataclass(frozen=True)
class Private:
    """home, folder: paths that are replaced. names: words that are, wherever they stand by themselves."""

    home: str
    folder: str
    names: tuple[str, ...]

    @classmethod
    def here(cls) -> Private:
        """This user on this machine, in the present folder."""
        names = [os.environ.get(variable, "") for variable in ("USER", "LOGNAME", "SUDO_USER", "HOSTNAME")]
        host = socket.gethostname()
        names += [_user_name(), host, host.partition(".")[0]]
        home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises for a user without one
        return cls(home if home != "~" else "", str(Path.cwd()), tuple(_telling(names)))

    def without(self, value: object) -> object:
        """The same JSON value with every text cleaned that is not a word of ours: keys, and the values of OURS."""
        if isinstance(value, str):
            return self._clean(value)
        if isinstance(value, Mapping):
            return {key: each if key in OURS else self.without(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.without(each) for each in value]
        return value

    def _clean(self, text: str) -> str:
        for path, stands_for in ((self.folder, "."), (self.home, "~")):
            if len(path) > 1:  # of root in a container both may be "/"
                text = re.sub(rf"{re.escape(path)}(?![^/\s'\":;,)])", stands_for, text)
        text = _HOMES.sub("~", text)
        for name in self.names:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", "<name>", text, flags=re.IGNORECASE)
        return text


def _telling(names: Iterable[str]) -> Iterable[str]:
    """Each once, the longest first, without those that are GENERIC or so short that they are parts of speech."""
    found = {name for name in names if len(name) > 2 and name.lower() not in GENERIC}
    return sorted(found, key=lambda name: (-len(name), name))


def _user_name() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # no Unix, or a container's user without a name
        return ""
