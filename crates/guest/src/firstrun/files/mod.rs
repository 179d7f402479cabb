//! The files that `firstrun` writes, as a function of the settings and of what is there: pure, and the same again when
//! it is applied to its own result.

pub mod agents;
pub mod block;
pub mod ecs;
pub mod proxies;

use super::host::{Host, LogAgent};
use super::settings::Settings;

/// What one file should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file.
    pub path: &'static str,
    /// What it should hold; none when it should not be there.
    pub content: Option<String>,
    /// Whether it holds a secret and must be readable by root alone.
    pub secret: bool,
}

/// Begins each file that is `firstrun`'s as a whole.
pub const HEADER: &str = "# Written by firstrun at each run: changes are lost.\n";

/// Every file that `firstrun` has a say in. `current` tells what a file holds now.
pub fn wanted(settings: &Settings, host: &Host, current: &dyn Fn(&str) -> Option<String>) -> Vec<Wanted> {
    let mut files = vec![ecs::config(settings, current)];
    files.extend(proxies::files(settings, host, current));
    match (host.log_agent(settings.log_agent), &settings.log_prefix, &settings.region) {
        (Some(LogAgent::Awslogs), Some(prefix), Some(region)) => {
            files.extend(agents::awslogs(settings, prefix, region, current));
        }
        (Some(LogAgent::Cloudwatch), Some(prefix), Some(region)) => {
            files.extend(agents::cloudwatch(settings, prefix, region, current));
        }
        _ => {}
    }
    files
}

/// A file that is `firstrun`'s own: there with this content, or not there. One that somebody else wrote under its name
/// is left alone when there is nothing to write.
fn own(
    path: &'static str,
    body: Option<String>,
    secret: bool,
    current: &dyn Fn(&str) -> Option<String>,
) -> Option<Wanted> {
    match body {
        Some(body) => Some(Wanted { path, content: Some(format!("{HEADER}{body}")), secret }),
        None => current(path).is_some_and(|text| text.starts_with(HEADER)).then_some(Wanted {
            path,
            content: None,
            secret: false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::Init;
    use super::super::settings::{self, LogAgentChoice, LogFile};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    pub(super) fn settings(proxy: Option<&str>) -> Settings {
        Settings {
            cluster: "web".to_owned(),
            region: Some("us-east-1".to_owned()),
            log_prefix: Some("/shop/ec2/Group".to_owned()),
            proxy: proxy.map(|proxy| settings::proxy("PROXY_URL", proxy).unwrap()),
            no_proxy: vec![".internal".to_owned()],
            attributes: BTreeMap::from([("rack".to_owned(), "a b".to_owned())]),
            reserved_memory: Some(64),
            ecs_config: BTreeMap::from([("ECS_LOGLEVEL".to_owned(), "debug".to_owned())]),
            logs: vec![LogFile {
                file: "/var/log/cloud-init.log".to_owned(),
                group: "/shop/ec2/Group/var/log/cloud-init.log".to_owned(),
                datetime_format: Some("%Y-%m-%d %H:%M:%S,%f".to_owned()),
                utc: true,
            }],
            log_agent: LogAgentChoice::Auto,
            health_timeout: settings::HEALTH_TIMEOUT,
        }
    }

    fn host(init: Init, awslogs: bool) -> Host {
        Host { init, awslogs, awslogs_service: "awslogs", cloudwatch: !awslogs, cfn_hup: true }
    }

    /// Applies what is wanted to a set of files.
    fn apply(files: &mut BTreeMap<String, String>, settings: &Settings, host: &Host) {
        let now = files.clone();
        for file in wanted(settings, host, &|path| now.get(path).cloned()) {
            match file.content {
                Some(content) => files.insert(file.path.to_owned(), content),
                None => files.remove(file.path),
            };
        }
    }

    const INITS: [Init; 3] = [Init::Systemd, Init::Upstart, Init::SysVInit];

    /// What an image has before the first run.
    fn fresh() -> BTreeMap<String, String> {
        [
            ("/etc/ecs/ecs.config", "ECS_LOGFILE=/log\nECS_CLUSTER=default\n"),
            (
                "/etc/sysconfig/docker",
                "DAEMON_MAXFILES=1048576\nOPTIONS=\"--default-ulimit nofile=1024:4096\"\n",
            ),
            ("/etc/awslogs/proxy.conf", "HTTP_PROXY=\nHTTPS_PROXY=\nNO_PROXY=\n"),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into()
    }

    #[test]
    fn a_second_run_changes_nothing_on_any_kind_of_host() {
        for init in INITS {
            for awslogs in [true, false] {
                for proxy in [None, Some("http://u:p@proxy:3128")] {
                    for before in [BTreeMap::new(), fresh()] {
                        let (settings, host) = (settings(proxy), host(init, awslogs));
                        let mut once = before;
                        apply(&mut once, &settings, &host);
                        let mut twice = once.clone();
                        apply(&mut twice, &settings, &host);
                        assert_eq!(once, twice, "{init:?} {awslogs} {proxy:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_a_proxy_nothing_speaks_of_one_even_where_there_was_one() {
        for init in INITS {
            for awslogs in [true, false] {
                let host = host(init, awslogs);
                let mut never = fresh();
                apply(&mut never, &settings(None), &host);
                let mut before = fresh();
                apply(&mut before, &settings(Some("http://proxy:3128")), &host);
                assert!(before.values().any(|text| text.contains("proxy:3128")));
                apply(&mut before, &settings(None), &host);
                assert_eq!(before, never, "{init:?} {awslogs}");
                assert!(!before.values().any(|text| text.contains("proxy:3128")));
            }
        }
    }

    #[test]
    fn files_with_a_proxys_password_are_for_root_alone() {
        let host = host(Init::Systemd, true);
        let secret = wanted(&settings(Some("http://u:p@proxy:3128")), &host, &|_| None);
        for file in &secret {
            let holds = file.content.as_deref().is_some_and(|text| text.contains("u:p@"));
            assert_eq!(file.secret, holds, "{}", file.path);
        }
        assert!(wanted(&settings(Some("http://proxy:1")), &host, &|_| None).iter().all(|file| !file.secret));
    }

    #[test]
    fn somebody_elses_drop_in_stays() {
        let theirs = |_: &str| Some("[Service]\nEnvironment=HTTP_PROXY=http://theirs:1\n".to_owned());
        let files = wanted(&settings(None), &host(Init::Systemd, true), &theirs);
        assert!(!files.iter().any(|file| file.path.ends_with("http-proxy.conf")), "{files:#?}");
    }

    proptest! {
        #[test]
        fn whatever_was_there_a_second_run_changes_nothing(
            text in "([A-Z_]{1,12}=[ -~]{0,12}\n|# [ -~]{0,12}\n|\n|[ -~]{0,12}\n?){0,8}",
            with_proxy in any::<bool>(),
        ) {
            let settings = settings(with_proxy.then_some("http://proxy:3128"));
            for init in INITS {
                let host = host(init, true);
                let mut once: BTreeMap<String, String> =
                    fresh().into_keys().map(|path| (path, text.clone())).collect();
                apply(&mut once, &settings, &host);
                let mut twice = once.clone();
                apply(&mut twice, &settings, &host);
                prop_assert_eq!(&once, &twice);
                let config = &once["/etc/ecs/ecs.config"];
                prop_assert_eq!(config.lines().filter(|line| line.starts_with("ECS_CLUSTER=")).count(), 1);
            }
        }
    }
}
