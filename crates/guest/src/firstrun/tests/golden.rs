//! Golden files: what a run makes of every kind of instance, and what it does to its services.

use super::super::host::{Host, Init};
use super::Run;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What tells the inits apart.
const INITS: [(&str, Init, &[&str]); 3] = [
    ("systemd", Init::Systemd, &["run/systemd/system", "etc/systemd/system"]),
    ("upstart", Init::Upstart, &["sbin/initctl", "etc/init"]),
    ("sysvinit", Init::SysVInit, &[]),
];

const PROXIES: [(&str, &[&str]); 3] = [
    ("without-proxy", &[]),
    ("proxy", &["--proxy", "proxy.internal:3128"]),
    (
        "secret-proxy",
        &["--proxy", "http://me:p%40ss@proxy:3128", "--no-proxy", ".internal", "--no-proxy", "10.0.0.0/8"],
    ),
];

const AGENTS: [(&str, &str); 2] =
    [("awslogs", "etc/awslogs"), ("cloudwatch", "opt/aws/amazon-cloudwatch-agent/bin")];

/// What stands there before: nothing; what packages bring; what an administrator and the seed's script wrote; what a run
/// with another proxy and another cluster wrote.
const EXISTING: [&str; 4] = ["fresh", "packaged", "edited", "earlier-run"];

const PACKAGED: [(&str, &str); 4] = [
    ("etc/ecs/ecs.config", ""),
    (
        "etc/sysconfig/docker",
        "# The max number of open files\nDAEMON_MAXFILES=1048576\nOPTIONS=\"--default-ulimit nofile=1024:4096\"\n",
    ),
    ("etc/awslogs/proxy.conf", "HTTP_PROXY=\nHTTPS_PROXY=\nNO_PROXY=\n"),
    ("etc/awslogs/awscli.conf", "[plugins]\ncwlogs = cwlogs\n[default]\nregion = us-west-2\n"),
];

const EDITED: [(&str, &str); 5] = [
    (
        "etc/ecs/ecs.config",
        "ECS_CLUSTER=old\nHTTPS_PROXY=http://old:1\nNO_PROXY=169.254.169.254\nECS_LOGLEVEL=debug",
    ),
    (
        "etc/sysconfig/docker",
        "OPTIONS=\"-D\"\nexport HTTPS_PROXY=http://old:1\nexport HTTPS_PROXY=http://old:1\n",
    ),
    (
        "etc/awslogs/proxy.conf",
        "HTTP_PROXY=http://old:1\nHTTPS_PROXY=http://old:1\nNO_PROXY=169.254.169.254\n",
    ),
    (
        "etc/systemd/system/docker.service.d/http-proxy.conf",
        "[Service]\nEnvironment=HTTP_PROXY=http://theirs:1\n",
    ),
    ("etc/awslogs/awslogs.conf", "[general]\nstate_file = /elsewhere\n"),
];

/// What the services' programs say of a service that does not run, and of one that does.
const CTL: &str = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl -a status";
const STOPPED: [(&str, i32, &str); 3] = [
    ("systemctl is-active", 3, "inactive"),
    ("service docker status", 3, "stopped"),
    ("service awslogs status", 3, "stopped"),
];
const RUNNING: [(&str, i32, &str); 2] =
    [("initctl status", 0, "ecs start/running, process 7"), (CTL, 0, "{\"status\": \"running\"}")];

fn instance(folders: &[&str], agent: &str, existing: &str) -> Run {
    let mut run = Run::new(&[folders, &[agent]].concat());
    let files: &[(&str, &str)] = match existing {
        "packaged" => &PACKAGED,
        "edited" => &EDITED,
        _ => &[],
    };
    run.script.answers = STOPPED.to_vec();
    // The folder of the one agent would be taken for the agent itself.
    let others = |path: &str| path.starts_with("etc/awslogs/") && agent != "etc/awslogs";
    for (path, text) in files.iter().filter(|(path, _)| !others(path)) {
        let path = run.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    if existing == "earlier-run" {
        go(&run, &["--cluster", "before", "--proxy", "http://other:p@before:8080"]);
        run.script.ran.borrow_mut().clear();
        run.script.answers = RUNNING.to_vec();
    }
    run
}

/// A run with logs; the cluster may be another than the one that the agent has joined.
fn go(run: &Run, words: &[&str]) {
    let logs = ["--stack", "shop", "--group", "Group", "--region", "eu-west-1", "--health-timeout", "0"];
    run.go(&[words, &logs].concat());
}

/// The commands of a run, and the files as they are after it.
fn shown(run: &Run, commands: &[String]) -> String {
    let mut out = String::new();
    for command in commands {
        writeln!(out, "$ {command}").unwrap();
    }
    let mut files = Vec::new();
    list(run.root.path(), &mut files);
    files.sort();
    for file in files.iter().filter(|file| !file.ends_with("var/log/firstrun.log")) {
        let mode = file.metadata().unwrap().permissions().mode() & 0o7777;
        let path = file.strip_prefix(run.root.path()).unwrap().display();
        writeln!(out, "\n=== /{path} {mode:04o}\n{}", fs::read_to_string(file).unwrap().trim_end()).unwrap();
    }
    out
}

fn list(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}

#[test]
fn every_kind_of_instance_gets_its_files_and_services() {
    for (init, expected, folders) in INITS {
        for (proxy, words) in PROXIES {
            let mut golden = String::new();
            for (agent, folder) in AGENTS {
                for existing in EXISTING {
                    let mut run = instance(folders, folder, existing);
                    assert_eq!(Host::look(run.root.path()).init, expected);
                    let words = [&["--cluster", "web", "--ecs-attribute", "rack=a b"], words].concat();
                    writeln!(golden, "##### {agent}, {existing}\n{}", twice(&mut run, &words)).unwrap();
                }
            }
            insta::with_settings!({
                snapshot_path => "../golden", prepend_module_to_snapshot => false, omit_expression => true,
            }, { insta::assert_snapshot!(format!("{init}-{proxy}"), golden) });
        }
    }
}

/// Runs, and runs again: the second run writes nothing and starts nothing that runs.
fn twice(run: &mut Run, words: &[&str]) -> String {
    go(run, words);
    let commands = run.script.ran.take();
    let once = shown(run, &commands);
    run.script.answers = RUNNING.to_vec();
    go(run, words);
    let again = run.script.ran.take();
    assert!(!again.iter().any(|command| command.contains("start")), "{words:?}: {again:?}");
    assert_eq!(shown(run, &commands), once);
    once
}
