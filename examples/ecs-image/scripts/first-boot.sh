#!/usr/bin/env bash
# Readies the image for its first boot, which configures Docker and the ECS agent before it starts them.
set -euo pipefail

yum install -y aws-cfn-bootstrap jq

install -o root -g root -m 0755 /tmp/join-cluster /usr/local/bin/join-cluster
rm -f /tmp/join-cluster

# Amazon Linux 2 starts the agent only after user data, so user data could not wait for it. A unit in /etc takes the
# place of the packaged one.
unit=/usr/lib/systemd/system/ecs.service
if grep -q '^After=.*cloud-final' "$unit"; then
  sed '/cloud-final/d' "$unit" > /etc/systemd/system/ecs.service
  systemctl daemon-reload
fi
