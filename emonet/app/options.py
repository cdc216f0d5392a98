"""Where the app is served, to whom, and how much it takes."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass
from typing import Annotated

from emonet.errors import OptionError
from emonet.options import Option, check_options

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LIMITS = "Limits"  # a panel of --help


@dataclass(frozen=True, slots=True)
class AppLimits:
    """How much the app takes.

    Attributes:
        max_megabytes: The size of one upload.
        max_megapixels: The size of a photo, which is known before it is decoded.
        queue: Requests that may wait or be read at a time; others are told that the app is busy.

    Raises:
        OptionError: A value is beyond its limits.

    Examples:
        >>> from emonet.app import AppLimits
        >>> AppLimits(max_megabytes=5).max_bytes
        5000000
    """

    max_megabytes: Annotated[float, Option("Refuse uploads of more megabytes.", 0.01, 10_000, panel=LIMITS)] = 100.0
    max_megapixels: Annotated[float, Option("Refuse photos of more megapixels.", 0.01, 1_000, panel=LIMITS)] = 64.0
    queue: Annotated[int, Option("Requests that may wait; more are answered with busy.", 1, 1_000, panel=LIMITS)] = 16

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def max_bytes(self) -> int:
        """The size of one upload in bytes."""
        return round(1e6 * self.max_megabytes)

    @property
    def max_pixels(self) -> int:
        """The size of a photo in pixels."""
        return round(1e6 * self.max_megapixels)


@dataclass(frozen=True, slots=True)
class AppPlace:
    """Where the app is served, and who may use it.

    Attributes:
        host: The address to listen on.
        port: The port; a free one if 0.
        auth: `user:password`, which browsers and curl are asked for; nobody is asked if it is empty.
        anybody: Whether a host that others can reach may be served without `auth`.
        names: More names that the machine is called by, such as that of a proxy in front of it.

    Raises:
        OptionError: Others could use the app without being asked, or `auth` is no user and password.

    Examples:
        >>> from emonet.app import AppPlace
        >>> AppPlace().knows("localhost:7860"), AppPlace().knows("attacker.example:7860")
        (True, False)
    """

    host: str = LOOPBACK[0]
    port: int = 7860
    auth: str = ""
    anybody: bool = False
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise OptionError(f"port must be from 0 to 65535, got {self.port}")
        user, colon, password = self.auth.partition(":")
        if self.auth and not (user and colon and password):
            raise OptionError("auth must be user:password")  # what was given is not repeated: it may be a password
        if self.auth and self.anybody:
            raise OptionError("--auth and --no-auth contradict each other")
        if not (self.local or self.auth or self.anybody):
            raise OptionError(
                f"others can reach {self.host}: give --auth user:password, or --no-auth if everybody may use the app"
            )

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the app."""
        return self.host in LOOPBACK

    @property
    def everywhere(self) -> bool:
        """Whether all addresses of this machine are listened on."""
        return _is_address(self.host) and ipaddress.ip_address(self.host).is_unspecified

    def admits(self, credentials: str) -> bool:
        """Say whether `user:password` is the right one."""
        return not self.auth or secrets.compare_digest(credentials.encode(), self.auth.encode())

    def knows(self, host: str) -> bool:
        """Say whether a Host header means this app, and is no name that others made to mean this machine.

        Args:
            host: The header, with or without a port.
        """
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        name, names = name.strip("[]").lower(), [one.lower() for one in self.names]
        if self.local:
            return name in (*LOOPBACK, *names)
        own = socket.gethostname().lower()
        return _is_address(name) or name in (*LOOPBACK, self.host.lower(), own, f"{own}.local", *names)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
