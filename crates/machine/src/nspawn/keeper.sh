# Keeps one machine: holds its volumes' loop devices open, runs systemd-nspawn, and runs it again when the machine
# reboots. It outlives the daemon, so that a machine can reboot while no daemon runs.
# $1: the instance's directory. Lists in it have entries ended by a zero byte and are read anew at each use; one that
# is missing means that the instance is being ended. Exit status: 125 could not begin, else systemd-nspawn's.
set -u
dir=$1

join() { # FILE: become a member of the control groups listed there
  local procs file
  mapfile -d '' -t procs < "$dir/$1" || exit 125
  for file in "${procs[@]}"; do echo "$BASHPID" > "$file" || exit 125; done
}

declare -A held=()
hold() { # hold open exactly the devices listed: a loop device goes when its last user closes it
  local devices device fd
  local -A wanted=()
  mapfile -d '' -t devices < "$dir/held" || exit 125
  for device in "${devices[@]}"; do
    wanted[$device]=yes
    if [[ -z ${held[$device]-} ]]; then
      exec {fd}< "$device" || exit 125
      held[$device]=$fd
    fi
  done
  for device in "${!held[@]}"; do
    if [[ -z ${wanted[$device]-} ]]; then
      fd=${held[$device]}
      exec {fd}<&-
      unset "held[$device]"
    fi
  done
}

join keeper.cgroups
hold
trap hold USR1
while :; do
  mapfile -d '' -t args < "$dir/nspawn.args" || exit 125
  (
    trap - USR1
    join machine.cgroups
    for fd in "${held[@]}"; do exec {fd}<&-; done
    exec systemd-nspawn "${args[@]}"
  ) &
  machine=$!
  # `wait` also returns when a signal was handled; the machine then still runs.
  while wait "$machine"; code=$?; kill -0 "$machine" 2> /dev/null; do :; done
  [[ $code -eq 133 ]] || break # 133: nspawn says that the machine asked for a reboot
done
exit "$code"
