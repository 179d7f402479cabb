#!/usr/bin/env bash
# Sees to it that there are log files to ship: /var/log/messages is rsyslog's, which Amazon Linux 2023 has not by itself,
# and /var/log/docker is where Amazon Linux 1 had Docker's. Under systemd it goes to the journal unless a unit says otherwise.
set -euo pipefail

if [ ! -d /run/systemd/system ]; then
  chkconfig rsyslog on
  exit
fi

systemctl enable --now rsyslog
if ! grep -q '^StandardOutput=append:/var/log/docker$' <<< "$(systemctl cat docker)"; then
  mkdir -p /etc/systemd/system/docker.service.d
  cat > /etc/systemd/system/docker.service.d/20-log-file.conf << 'UNIT'
[Service]
StandardOutput=append:/var/log/docker
StandardError=inherit
UNIT
  systemctl daemon-reload
fi
if ! grep -qs /var/log/docker /etc/logrotate.d/*; then
  # copytruncate: Docker keeps its file open.
  cat > /etc/logrotate.d/docker-log << 'ROTATE'
/var/log/docker {
  size 10M
  rotate 4
  copytruncate
  missingok
  notifempty
}
ROTATE
fi
