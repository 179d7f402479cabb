//! The proxy of everything but the log agent: Docker, the programs that start the ECS agent, and the CloudFormation
//! helpers.

use super::{Wanted, block, own};
use crate::firstrun::host::{Host, Init};
use crate::firstrun::settings::{Proxy, Settings};

/// Where our CloudFormation helpers look for a proxy when neither option nor variable names one.
pub use crate::aws::proxy::INSTANCE as HELPERS;

/// What is reached directly by whatever runs on an instance: metadata, task credentials, itself.
const DIRECT: [&str; 4] = ["169.254.169.254", "169.254.170.2", "localhost", "127.0.0.1"];
const NAMES: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// The files for this kind of host, those that must go included.
pub fn files(settings: &Settings, host: &Host, current: &dyn Fn(&str) -> Option<String>) -> Vec<Wanted> {
    let proxy = settings.proxy.as_ref();
    let secret = proxy.is_some_and(Proxy::is_secret);
    let variables = proxy.map(|proxy| variables(proxy, &DIRECT, &settings.no_proxy));
    let own = |path, body: Option<String>| own(path, body, secret, current);
    let drop_in = || variables.as_deref().map(systemd);
    let mut files: Vec<Option<Wanted>> = vec![
        own(HELPERS, variables.as_deref().map(plain)),
        // For a user's shell and what it starts, Amazon's own helpers among it.
        own(
            "/etc/profile.d/firstrun-proxy.sh",
            variables.as_deref().map(|pairs| shell(pairs).join("\n") + "\n"),
        ),
    ];
    match host.init {
        Init::Systemd => {
            files.push(own("/etc/systemd/system/docker.service.d/http-proxy.conf", drop_in()));
            files.push(own("/etc/systemd/system/ecs.service.d/http-proxy.conf", drop_in()));
            if host.cfn_hup {
                files.push(own("/etc/systemd/system/cfn-hup.service.d/http-proxy.conf", drop_in()));
            }
        }
        Init::Upstart => {
            files.push(docker_sysconfig(variables.as_deref(), secret, current));
            files.push(own("/etc/init/ecs.override", variables.as_deref().map(upstart)));
        }
        Init::SysVInit => files.push(docker_sysconfig(variables.as_deref(), secret, current)),
    }
    files.into_iter().flatten().collect()
}

/// Names and values of the three variables.
pub fn variables(proxy: &Proxy, direct: &[&str], more: &[String]) -> Vec<(&'static str, String)> {
    let hosts: Vec<&str> = direct.iter().copied().chain(more.iter().map(String::as_str)).collect();
    let [http, https, no_proxy] = NAMES;
    vec![(http, proxy.url().to_owned()), (https, proxy.url().to_owned()), (no_proxy, hosts.join(","))]
}

/// `NAME=VALUE` lines. Values have been checked: nothing in them needs quoting here.
pub fn plain(pairs: &[(&'static str, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

fn shell(pairs: &[(&'static str, String)]) -> Vec<String> {
    pairs.iter().map(|(name, value)| format!("export {name}='{value}'")).collect()
}

/// A unit's drop-in. systemd takes `%` for the begin of a specifier (systemd.unit(5)).
fn systemd(pairs: &[(&'static str, String)]) -> String {
    let lines =
        pairs.iter().map(|(name, value)| format!("Environment=\"{name}={}\"\n", value.replace('%', "%%")));
    format!("[Service]\n{}", lines.collect::<String>())
}

/// A job's override (init(5)).
fn upstart(pairs: &[(&'static str, String)]) -> String {
    pairs.iter().map(|(name, value)| format!("env {name}={value}\n")).collect()
}

/// Docker's System V script reads this file as shell.
fn docker_sysconfig(
    pairs: Option<&[(&'static str, String)]>,
    secret: bool,
    current: &dyn Fn(&str) -> Option<String>,
) -> Option<Wanted> {
    const PATH: &str = "/etc/sysconfig/docker";
    let lines = pairs.map(shell).unwrap_or_default();
    let before = current(PATH);
    // Without a proxy, a file that is not there need not be made.
    if before.is_none() && lines.is_empty() {
        return None;
    }
    let text = block::put(before.as_deref().unwrap_or_default(), &NAMES, &lines);
    Some(Wanted { path: PATH, content: Some(text), secret })
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    fn host(init: Init) -> Host {
        Host { init, awslogs: true, awslogs_service: "awslogs", cloudwatch: false, cfn_hup: true }
    }

    fn content(files: &[Wanted], path: &str) -> String {
        files.iter().find(|file| file.path == path).and_then(|file| file.content.clone()).unwrap_or_default()
    }

    #[test]
    fn systemd_gets_drop_ins() {
        let files = files(&settings(Some("http://u:p%40s@proxy:3128")), &host(Init::Systemd), &|_| None);
        let docker = content(&files, "/etc/systemd/system/docker.service.d/http-proxy.conf");
        assert!(
            docker.contains("[Service]\nEnvironment=\"HTTP_PROXY=http://u:p%%40s@proxy:3128\"\n"),
            "{docker}"
        );
        assert!(
            docker.contains("NO_PROXY=169.254.169.254,169.254.170.2,localhost,127.0.0.1,.internal\""),
            "{docker}"
        );
        assert!(files.iter().any(|file| file.path.contains("cfn-hup")));
        assert!(!files.iter().any(|file| file.path.contains("sysconfig")));
        assert!(content(&files, HELPERS).ends_with("HTTPS_PROXY=http://u:p%40s@proxy:3128\nNO_PROXY=169.254.169.254,169.254.170.2,localhost,127.0.0.1,.internal\n"));
    }

    #[test]
    fn amazon_linux_1_gets_sysconfig_and_an_override() {
        let current = |path: &str| {
            (path == "/etc/sysconfig/docker").then(|| "OPTIONS=\"-D\"\nexport HTTPS_PROXY=old\n".to_owned())
        };
        let files = files(&settings(Some("proxy:3128")), &host(Init::Upstart), &current);
        let docker = content(&files, "/etc/sysconfig/docker");
        assert!(
            docker.starts_with("OPTIONS=\"-D\"\n# firstrun: begin\nexport HTTP_PROXY='http://proxy:3128'\n"),
            "{docker}"
        );
        assert!(!docker.contains("old"));
        assert!(content(&files, "/etc/init/ecs.override").contains("env HTTPS_PROXY=http://proxy:3128\n"));
    }

    #[test]
    fn without_a_proxy_nothing_is_made() {
        assert_eq!(files(&settings(None), &host(Init::Systemd), &|_| None), []);
    }
}
