"""Programs on a terminal: what they show is read, and keys are pressed when they ask."""

import contextlib
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time

import clouds

# Colours and cursor movements (ECMA-48).
CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\r")


class Terminal:
    """A program whose standard streams are a terminal."""

    def __init__(self, *command, cwd):
        self.master, slave = pty.openpty()
        env = clouds.environment(TERM="xterm-256color")
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env=env,
            start_new_session=True,
            # Only of the session's own terminal do keys become signals.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.text = ""
        self.read = 0

    def more(self, seconds):
        """Reads what comes next; false at the end."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # how Linux tells that nobody has the terminal open any more
            return False
        self.text += CONTROL.sub("", data.decode(errors="replace"))
        return bool(data)

    def until(self, words, seconds=20):
        """Reads on until these words are shown, after those of the last time."""
        deadline = time.monotonic() + seconds
        while words not in self.text[self.read :]:
            assert time.monotonic() < deadline and self.more(1), f"{words!r} was not shown:\n{self.text}"
        self.read = self.text.index(words, self.read) + len(words)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def end(self, seconds=20):
        """Reads the rest; the exit code."""
        deadline = time.monotonic() + seconds
        while self.more(0.2) and self.process.poll() is None:
            assert time.monotonic() < deadline, f"not ended:\n{self.text}"
        return self.process.wait(timeout=5)


@contextlib.contextmanager
def terminal(*command, cwd):
    opened = Terminal(*command, cwd=cwd)
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.process.kill()
            opened.process.wait()
        os.close(opened.master)
