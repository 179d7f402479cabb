"""Writes ini_cases.json: what Python's RawConfigParser makes of files, whole and odd.

python3 ini_cases.py > ini_cases.json
"""

import configparser
import json
import random
import sys

LINES = [
    "[general]", "[a]", "[b]", "[DEFAULT]", "[a b] rest", "  [c]", "[]", "[d",
    "file = /var/log/a", "file: /b", "File=/c", "  file = /d", "time_zone=UTC ; note", "x = %Y=%m: %d",
    "x", "= 1", "y =", "y = 1", "    more", "\tmore = 2", "# comment", "  ; comment", "", "  ", "z : a # b",
]  # fmt: skip


def read(text):
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def main():
    rng = random.Random(5)
    cases = {}
    while len(cases) < 300:
        text = "\n".join([rng.choice(LINES[:4]), *rng.choices(LINES, k=rng.randrange(1, 7))])
        found = read(text)
        # Most random files are wrong in some way; half of the cases shall be right.
        if found is not None or sum(value is None for value in cases.values()) < 150:
            cases[text] = found
    json.dump([{"text": text, "sections": found} for text, found in cases.items()], sys.stdout, indent=0)
    sys.stdout.write("\n")


main()
