#!/usr/bin/env bash
# Mounts the data volume at /data, now and at each boot. It is found by its label: device names differ between instance
# types. Running this again changes nothing.
set -euo pipefail

blkid -t LABEL=data "$DEVICE" > /dev/null || mkfs.ext4 -q -L data "$DEVICE"
mkdir -p /data
# nofail: an instance without the volume boots, and can be looked at.
grep -q '^LABEL=data\s' /etc/fstab ||
  printf 'LABEL=data\t/data\text4\tdefaults,noatime,nofail\t0\t2\n' >> /etc/fstab
mountpoint -q /data || mount "$DEVICE" /data
install -d -o 1000 -g 1000 /data/public
df -h /data
