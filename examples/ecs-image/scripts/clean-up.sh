#!/usr/bin/env bash
# Removes what belongs to this one machine: instances of the image must not take themselves for it.
set -euo pipefail

systemctl disable --now ecs
# The socket as well: it would start Docker again for whoever asks.
systemctl stop docker.socket docker
systemctl disable docker
rm -rf /var/lib/ecs/data/* /var/log/ecs/* /var/log/docker
rm -f /etc/ecs/ecs.config
yum clean all > /dev/null || true
