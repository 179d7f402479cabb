#!/usr/bin/env bash
# Sets the time zone, and keeps the clock by Amazon's time service.
#
#   TIME_ZONE  a name of the tz database, such as Europe/Berlin
set -euo pipefail

zone=${TIME_ZONE:?the name of a time zone}
server=169.254.169.123

case $zone in
  /* | *..*) file= ;;
  *) file=/usr/share/zoneinfo/$zone ;;
esac
if [ ! -f "$file" ]; then
  echo "there is no time zone $zone" >&2
  exit 1
fi
ln -sfn "$file" /etc/localtime
# Amazon Linux 1 makes /etc/localtime anew from this file when its time zone data are updated.
if [ -e /etc/sysconfig/clock ]; then
  printf 'ZONE="%s"\nUTC=true\n' "$zone" > /etc/sysconfig/clock
fi

# chrony where it is installed (Amazon Linux 2 and 2023), else ntpd (Amazon Linux 1). Amazon's chrony has the server in
# a file of its own directory already.
if command -v chronyd > /dev/null; then
  service=chronyd
  set -- /etc/chrony.conf /etc/chrony.d /run/chrony.d
  config=/etc/chrony.conf
else
  service=ntpd
  set -- /etc/ntp.conf
  config=/etc/ntp.conf
fi
if ! grep -Eqrs "^server[[:space:]]+$server([[:space:]]|$)" "$@"; then
  printf 'server %s prefer iburst\n' "$server" >> "$config"
fi

if [ -d /run/systemd/system ]; then
  systemctl enable "$service"
  systemctl restart "$service"
else
  chkconfig "$service" on
  service "$service" restart
fi
date
