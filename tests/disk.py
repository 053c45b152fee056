"""A disk of a test's own: small, real (ext4 in a file, mounted through a loop device), to be filled or to lose power.

A power cut is ext4's own shutdown without flushing its log: from then on nothing reaches the file, and what was not
synced is gone when it is mounted again, as on a machine whose plug was pulled.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Self

import pytest

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2


class NoDisk(RuntimeError):
    """No file system can be mounted here."""


class Disk:
    """A mounted file system. Free the mount with `remove`, or use it in a `with`."""

    def __init__(self, folder: Path, *, megabytes: int) -> None:
        self.path = folder / "disk"
        self._image, self._ballast = folder / "disk.ext4", self.path / "ballast"
        self._device = ""
        self.path.mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(megabytes * 1024**2)

    def __enter__(self) -> Self:
        """Errors: NoDisk."""
        _run("mkfs.ext4", "-q", "-m", "0", str(self._image))
        self._device = _run("losetup", "--find", "--show", str(self._image))
        try:
            self.mount()
        except NoDisk:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def mount(self) -> None:
        _run("mount", "-t", "ext4", self._device, str(self.path))

    def unmount(self) -> None:
        """Nobody may have a file open on it."""
        _run("umount", str(self.path))

    def cut_power(self) -> None:
        """From here on whatever is written fails, and whatever was not synced is lost."""
        mount = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(mount, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(mount)

    def restore_power(self) -> None:
        """Mounted again, as a machine that starts. Whoever had files open must have ended."""
        self.unmount()
        self.mount()

    def fill(self) -> None:
        """Until not a byte is left."""
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (1024**2, 4096, 1):
                try:
                    while True:
                        ballast.write(b"\0" * size)
                except OSError:
                    continue

    def free(self) -> None:
        self._ballast.unlink()

    @property
    def space(self) -> int:
        """Bytes left."""
        return shutil.disk_usage(self.path).free

    def remove(self) -> None:
        if os.path.ismount(self.path):
            _run("umount", "--lazy", str(self.path))
        if self._device:
            _run("losetup", "--detach", self._device)
            self._device = ""
        self._image.unlink(missing_ok=True)


def require_disks(folder: Path) -> None:
    """Skip the test, and say why, where no file system can be mounted: not root, or no loop devices."""
    try:
        with Disk(folder / "probe", megabytes=8):
            pass
    except NoDisk as error:
        pytest.skip(f"mount: this test needs a file system of its own, and here {error}")


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - spelled above
    except FileNotFoundError as error:
        raise NoDisk(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise NoDisk(f"{command[0]} says: {error.stderr.strip()}") from error
    return done.stdout.strip()
