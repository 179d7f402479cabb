"""Waiting for something to come true, with a deadline instead of a pause."""

import time


def until(what, condition, seconds=60, every=0.1):
    """Returns the first true value of `condition()`; fails, saying what was last seen, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        seen = condition()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what} (last seen: {seen!r})")
        time.sleep(every)
