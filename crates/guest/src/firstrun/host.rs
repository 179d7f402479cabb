//! What kind of instance this is, as far as it decides where configuration goes and how services are driven.

use super::settings::LogAgentChoice;
use std::path::{Path, PathBuf};

/// What starts services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Init {
    /// systemd: Amazon Linux 2 and 2023, Debian.
    Systemd,
    /// Upstart for the ECS agent, System V scripts for the rest: Amazon Linux 1.
    Upstart,
    /// System V scripts alone.
    SysVInit,
}

/// A log agent that can be configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogAgent {
    /// The CloudWatch Logs agent and whatever reads its files.
    Awslogs,
    /// The CloudWatch agent.
    Cloudwatch,
}

/// What was found on the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// What starts services.
    pub init: Init,
    /// Whether the CloudWatch Logs agent's directory is there.
    pub awslogs: bool,
    /// The CloudWatch Logs agent's service: `awslogsd` on Amazon Linux 2, `awslogs` elsewhere.
    pub awslogs_service: &'static str,
    /// Whether the CloudWatch agent is installed.
    pub cloudwatch: bool,
    /// Whether `cfn-hup` is a service here.
    pub cfn_hup: bool,
}

/// Where systemd finds units.
const UNITS: [&str; 3] = ["etc/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];

impl Host {
    /// Looks at the system rooted at `root`.
    pub fn look(root: &Path) -> Self {
        let there = |path: &str| root.join(path).exists();
        let unit = |name: &str| UNITS.iter().any(|folder| there(&format!("{folder}/{name}.service")));
        Self {
            init: init(root),
            awslogs: there("etc/awslogs"),
            awslogs_service: if unit("awslogsd") { "awslogsd" } else { "awslogs" },
            cloudwatch: there("opt/aws/amazon-cloudwatch-agent/bin"),
            cfn_hup: unit("cfn-hup"),
        }
    }

    /// The log agent that a choice comes down to here; none where none is wanted or installed.
    pub fn log_agent(&self, choice: LogAgentChoice) -> Option<LogAgent> {
        match choice {
            LogAgentChoice::Awslogs => Some(LogAgent::Awslogs),
            LogAgentChoice::Cloudwatch => Some(LogAgent::Cloudwatch),
            LogAgentChoice::None => None,
            LogAgentChoice::Auto if self.awslogs => Some(LogAgent::Awslogs),
            LogAgentChoice::Auto if self.cloudwatch => Some(LogAgent::Cloudwatch),
            LogAgentChoice::Auto => None,
        }
    }
}

/// systemd makes `/run/systemd/system` when it is the running init (sd_booted(3)).
fn init(root: &Path) -> Init {
    let any = |paths: &[&str]| paths.iter().map(|path| root.join(path)).any(|path: PathBuf| path.exists());
    if any(&["run/systemd/system"]) {
        Init::Systemd
    } else if any(&["sbin/initctl"]) && any(&["etc/init"]) {
        Init::Upstart
    } else {
        Init::SysVInit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root_with(paths: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for path in paths {
            std::fs::create_dir_all(root.path().join(path)).unwrap();
        }
        root
    }

    #[test]
    fn the_running_init_is_told_by_what_it_leaves() {
        let cases: [(&[&str], Init); 4] = [
            (&["run/systemd/system", "sbin/initctl", "etc/init"], Init::Systemd),
            (&["sbin/initctl", "etc/init"], Init::Upstart),
            (&["sbin/initctl"], Init::SysVInit),
            (&[], Init::SysVInit),
        ];
        for (paths, expected) in cases {
            assert_eq!(Host::look(root_with(paths).path()).init, expected, "{paths:?}");
        }
    }

    #[test]
    fn the_installed_log_agent_is_found_and_a_choice_wins() {
        let both = Host::look(
            root_with(&[
                "etc/awslogs",
                "opt/aws/amazon-cloudwatch-agent/bin",
                "lib/systemd/system/awslogsd.service",
            ])
            .path(),
        );
        assert_eq!(both.log_agent(LogAgentChoice::Auto), Some(LogAgent::Awslogs));
        assert_eq!(both.log_agent(LogAgentChoice::Cloudwatch), Some(LogAgent::Cloudwatch));
        assert_eq!(both.log_agent(LogAgentChoice::None), None);
        assert_eq!(both.awslogs_service, "awslogsd");
        let neither = Host::look(root_with(&[]).path());
        assert_eq!((neither.log_agent(LogAgentChoice::Auto), neither.awslogs_service), (None, "awslogs"));
    }
}
