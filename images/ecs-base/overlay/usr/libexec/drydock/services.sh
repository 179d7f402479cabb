# Sourced by service and chkconfig: Amazon Linux 1's service names, and what stands behind each here.
# shellcheck shell=bash

# unit_of NAME: prints the systemd unit of a service; fails when systemd knows none by that name.
unit_of() {
    local unit
    case $1 in
    sshd) unit=ssh.service ;;
    crond) unit=cron.service ;;
    syslog) unit=rsyslog.service ;;
    *.service) unit=$1 ;;
    *) unit=$1.service ;;
    esac
    # A unit that systemd made out of an init script is that script's business.
    if [ "$(systemctl show --property=LoadState --value "$unit" 2>/dev/null)" = loaded ] &&
        ! systemctl show --property=SourcePath --value "$unit" | grep -q '^/etc/init.d/'; then
        echo "$unit"
    else
        return 1
    fi
}

# init_script_of NAME: prints the path of a System V init script that stands for itself and for no unit.
init_script_of() {
    local script=/etc/init.d/$1
    [ -x "$script" ] && [ "$(readlink "$script")" != ../../usr/libexec/drydock/init-script ] && echo "$script"
}

# all_services: prints the names that --list and --status-all show: units that can be enabled, under the name
# Amazon Linux gives them, and init scripts written for chkconfig.
all_services() {
    {
        systemctl list-unit-files --type=service --state=enabled,disabled --no-legend --plain |
            awk '$1 !~ /@/ { sub(/\.service$/, "", $1); print $1 }' | sed -e 's/^ssh$/sshd/' -e 's/^cron$/crond/'
        grep -ls '^#[[:space:]]*chkconfig:' /etc/init.d/* | xargs -r -n 1 basename
    } | sort -u
}
