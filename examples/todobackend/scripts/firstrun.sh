#!/usr/bin/env bash
# Installs firstrun, which the stack calls at an instance's first boot, and sees to it that the ECS agent can start then.
set -euo pipefail

uploaded=/tmp/files/drydock-guest
program=/usr/libexec/drydock/guest
command=/opt/drydock/bin/firstrun

if [ -f "$uploaded" ]; then
  install -D -m 0755 "$uploaded" "$program"
  mkdir -p "$(dirname "$command")"
  ln -sfn "$program" "$command"
elif [ ! -x "$command" ]; then
  echo "there is no firstrun in this image: 'drydock image guest files/drydock-guest' puts it where the build finds it" >&2
  exit 1
fi
"$command" --version

# Amazon Linux 2 and 2023 start the agent only after user data, so user data could not wait for it. A unit in /etc takes
# the place of the packaged one.
unit=/usr/lib/systemd/system/ecs.service
if grep -qs '^After=.*cloud-final' "$unit"; then
  sed 's/[[:space:]]*cloud-final\.service//; /^After=$/d' "$unit" > /etc/systemd/system/ecs.service
  systemctl daemon-reload
fi
