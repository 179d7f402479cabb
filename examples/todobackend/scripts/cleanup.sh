#!/usr/bin/env bash
# Removes what belongs to the one machine that the image is made on, and leaves the services off that the first boot starts
# once they are configured.
set -euo pipefail

systemd() { [ -d /run/systemd/system ]; }

is_running() {
  if systemd; then
    systemctl --quiet is-active "$1"
  elif [ -f "/etc/init/$1.conf" ]; then
    [[ $(initctl status "$1") == *start/running* ]]
  else
    service "$1" status > /dev/null 2>&1
  fi
}

# systemd stops also what is only just starting, as the agent may be: the machine has not been up for long.
stop() {
  if systemd; then
    systemctl stop "$1"
  elif ! is_running "$1"; then
    return
  elif [ -f "/etc/init/$1.conf" ]; then
    initctl stop "$1"
  else
    service "$1" stop
  fi
}

# An Upstart job has no switch: the agent's gives up at boot while Docker is off, and firstrun starts it.
disable() {
  if systemd; then
    systemctl disable "$1"
  elif [ ! -f "/etc/init/$1.conf" ]; then
    chkconfig "$1" off
  fi
}

is_installed() {
  if systemd; then
    systemctl --quiet cat "$1" > /dev/null 2>&1
  else
    [ -e "/etc/init.d/$1" ] || [ -e "/etc/init/$1.conf" ]
  fi
}

stop ecs
# Only of a Docker that runs: the command itself would start another one through its socket.
if is_running docker; then
  docker system prune --force --all
fi
for service in ecs docker.socket docker awslogs awslogsd amazon-cloudwatch-agent; do
  if is_installed "$service"; then
    stop "$service"
    # The socket stays as it is: Docker is enabled again together with it.
    [ "$service" = docker.socket ] || disable "$service"
  fi
done

rm -f /etc/ecs/ecs.config
rm -rf /var/lib/ecs/data/* /var/lib/awslogs/* /var/log/ecs/* /var/log/docker /var/log/awslogs.log*
rm -rf /tmp/files
yum clean all > /dev/null
