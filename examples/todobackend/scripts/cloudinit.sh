#!/usr/bin/env bash
# Instances start with the packages of their image: Amazon's cloud-init would update some at first boot, which takes time
# and makes instances of one image different.
set -euo pipefail

# A file of ours instead of edits in cloud.cfg: it wins over that, and an update of cloud-init leaves it alone.
mkdir -p /etc/cloud/cloud.cfg.d
cat > /etc/cloud/cloud.cfg.d/90-no-updates.cfg << 'CONFIG'
repo_update: false
repo_upgrade: none
CONFIG
