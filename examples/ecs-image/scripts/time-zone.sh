#!/usr/bin/env bash
# Sets the time zone. Amazon's images ask the time service at 169.254.169.123 already.
set -euo pipefail

zone=/usr/share/zoneinfo/$TIME_ZONE
if [ ! -f "$zone" ]; then
  echo "there is no time zone $TIME_ZONE" >&2
  exit 1
fi
ln -sfn "$zone" /etc/localtime
date
