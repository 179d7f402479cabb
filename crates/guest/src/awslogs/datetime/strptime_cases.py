"""Writes strptime_cases.tsv: what Amazon's agent makes of times in lines.

Run it where awscli-cwlogs is installed: TZ=UTC python strptime_cases.py > strptime_cases.tsv
"""

import datetime as real
import random
import sys

import cwlogs.parser
from cwlogs.utils import epoch

TODAY = real.date(2024, 3, 10)
FORMATS = [
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S%z",
    "%b %d %H:%M:%S",
    "%B %d, %Y %I:%M:%S %p",
    "[%d/%b/%Y:%H:%M:%S %z]",
    "%a %b %d %H:%M:%S %Y",
    "%A, %d-%b-%y %H:%M:%S %Z",
    "%y%m%d %H%M%S",
    "%m/%d/%y %I:%M%p",
    "%j %Y %H",
    "%Y week %U day %w",
    "%Y week %W %A",
    "%G-W%V-%u",
    "%d %m %Y",
    "%H:%M:%S,%f %d.%m.%Y",
    "%S%M%H %d%m%Y",
]


class Today(real.date):
    @classmethod
    def today(cls):
        return TODAY


def damaged(line, rng):
    """The line with a slip or two, as lines that only look like times have them."""
    letters = list(line)
    for _ in range(rng.randrange(3)):
        at = rng.randrange(len(letters))
        letters[at] = rng.choice([letters[at].swapcase(), rng.choice("0123456789 :-"), letters[at] + " ", ""])
        letters = list("".join(letters)) or ["x"]
    return "".join(letters)


def cases(rng):
    for form in FORMATS:
        for _ in range(25):
            moment = real.datetime(2024, 1, 1, tzinfo=real.UTC)
            moment += real.timedelta(milliseconds=rng.randrange(-86400_000 * 400, 86400_000 * 100))
            zone = real.timezone(real.timedelta(minutes=rng.choice([0, 60, -210, 330])))
            written = moment.astimezone(zone).strftime(form.replace("%Z", "UTC"))
            before = rng.choice(["", "", "time=", "7 ", "at 12:00 "])
            yield form, damaged(before + written + rng.choice(["", " text", "9", "Z end"]), rng)


def main():
    cwlogs.parser.date = Today
    rng = random.Random(4)
    for form, line in cases(rng):
        parser = cwlogs.parser.DateTimeParser(form, "UTC")
        if "%G" in form:
            parser._has_year = True  # the agent takes it for no year, and puts this year in its place
        match = parser.dt_re.search(line)
        if match and match.start() and "%z" in form and not form.endswith("%z"):
            continue  # the agent counts the offset's place from the wrong begin, and finds no time
        try:
            found = parser.parse(line)
        except Exception:  # as LogEvent.complete does
            found = None
        sys.stdout.write(f"{form}\t{line}\t{epoch(found) if found else '-'}\n")


main()
