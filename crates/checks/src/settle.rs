//! Waiting until a machine's boot has settled, so that what is found is what stays.
//!
//! Settled means: cloud-init has ended for this very instance (an image often carries the traces of the instance that it
//! was made from), and nothing that boot starts is still starting.

use std::time::Duration;

use crate::answer::quote;
use crate::probe::as_root;

/// Waits on the machine, prints one line, and exits with 0 when it is settled. cloud-init's `status --wait` is not used:
/// old versions lack it, and it starts Python.
const WAIT: &str = r#"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
cloud_init_runs() {
    [ -d /var/lib/cloud ] || command -v cloud-init >/dev/null 2>&1 || return 1
    [ ! -e /etc/cloud/cloud-init.disabled ] && [ ! -e /run/cloud-init/disabled ] || return 1
    [ ! -e "/var/lib/cloud/instances/$instance/boot-finished" ] || return 1
    # Only where /run is gone with each boot is the result this boot's.
    [ "$(stat -f -c %T /run 2>/dev/null)" != tmpfs ] || [ ! -e /run/cloud-init/result.json ]
}
services_start() {
    if [ -d /run/systemd/system ]; then
        state=$(systemctl is-system-running 2>/dev/null)
        [ "$state" = initializing ] || [ "$state" = starting ] || return 1
        state="systemd is $state: $(systemctl list-jobs --no-legend 2>/dev/null | head -n 3 | tr -s ' \n' ' ')"
    else
        state=$(initctl status rc 2>/dev/null)
        case $state in "rc start/"*) ;; *) return 1 ;; esac
    fi
}
end=$(($(date +%s) + seconds))
while :; do
    if cloud_init_runs; then
        state="cloud-init has not ended: $(tail -n 1 /var/log/cloud-init-output.log 2>/dev/null)"
    elif ! services_start; then
        echo "settled $state"
        exit 0
    fi
    if [ "$(date +%s)" -ge "$end" ]; then
        echo "$state"
        exit 75
    fi
    sleep 0.2 2>/dev/null || sleep 1
done
"#;

/// The exit code of [`command`] when the boot has not settled: `EX_TEMPFAIL`, which nothing else here exits with.
pub const UNSETTLED: i32 = 75;

/// The command line that waits until the boot of `instance` has settled, at most for `patience`. It exits with 0 then,
/// with [`UNSETTLED`] when it has not; the last line of its output tells how things stand.
pub fn command(instance: &str, patience: Duration) -> String {
    as_root(&format!("instance={}\nseconds={}\n{WAIT}", quote(instance), patience.as_secs()))
}
