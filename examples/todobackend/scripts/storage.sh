#!/usr/bin/env bash
# Puts a file system on the data volume and mounts it at /data, now and at each boot.
#
#   DEVICE  the volume, such as /dev/xvdcy
#
# Run again it finds what it did and changes nothing; a volume with other contents is refused, not formatted.
set -euo pipefail

device=${DEVICE:?the device of the data volume}
label=docker
target=/data
# nofail: an instance whose volume is missing boots, and can be looked at.
line=$(printf 'LABEL=%s\t%s\text4\tdefaults,noatime,nofail\t0\t2' "$label" "$target")

# blkid exits with 2 when it finds nothing on the device.
found=$(blkid -o value -s LABEL -s TYPE "$device") || [ $? -eq 2 ]
case $found in
  '') mkfs.ext4 -q -L "$label" "$device" ;;
  "$label"$'\n'ext4) ;;
  *)
    echo "$device holds something else, and is left alone: ${found//$'\n'/ }" >&2
    exit 1
    ;;
esac

mkdir -p "$target"
# The line is found by its mount point, so that another version of this script replaces it.
awk -v target="$target" -v line="$line" '
  $1 !~ /^#/ && $2 == target { if (!done) print line; done = 1; next }
  { print }
  END { if (!done) print line }
' /etc/fstab > /etc/fstab.new
if cmp -s /etc/fstab.new /etc/fstab; then
  rm /etc/fstab.new
else
  chmod 0644 /etc/fstab.new
  mv /etc/fstab.new /etc/fstab
fi

mountpoint -q "$target" || mount "$target"
df -h "$target"
