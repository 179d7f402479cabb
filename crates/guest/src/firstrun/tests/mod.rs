//! Whole runs in a folder that stands for an instance.

use super::instance::{Instance, run};
use super::options::Options;
use super::services::tests::Script;
use crate::aws::http::Http;
use crate::aws::imds::Imds;
use crate::cfn::options::parse;
use crate::testing::{NoSleep, Reply, Server, http_client};
use std::ffi::OsString;
use std::fs;
use std::sync::Arc;

const JOINED: &str = "{\"Cluster\":\"web\",\"ContainerInstanceArn\":\"arn:ci\",\"Version\":\"x\"}";

mod golden;
mod hostile;

/// A folder that stands for an instance, and its services.
struct Run {
    root: tempfile::TempDir,
    script: Script,
}

impl Run {
    fn new(folders: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in folders.iter().chain(&["etc/ecs"]) {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        Self { root, script: Script::default() }
    }

    /// Exit code, standard output and standard error.
    fn go(&self, words: &[&str]) -> (u8, String, String) {
        let server = Server::start(|request| match request.target.as_str() {
            "/v1/metadata" => Reply::new(200, JOINED),
            _ => Reply::new(404, ""),
        });
        let url = server.url("/v1/metadata");
        let http: Arc<dyn Http> = http_client();
        let instance = Instance {
            root: self.root.path().to_owned(),
            imds: Imds::new(Arc::clone(&http), &server.url("")),
            http,
            agent_url: &url,
            runner: &self.script,
            sleeper: &NoSleep,
        };
        let args = std::iter::once("firstrun").chain(words.iter().copied()).map(OsString::from).collect();
        let options: Options = parse(args).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&options, &instance, &mut out, &mut err);
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.root.path().join(path)).unwrap()
    }
}

const LOGS: [&str; 6] = ["--stack", "shop", "--group", "Group", "--region", "us-east-1"];

fn with(words: &[&'static str]) -> Vec<&'static str> {
    ["--cluster", "web"].into_iter().chain(LOGS).chain(words.iter().copied()).collect()
}

#[test]
fn an_instance_is_configured_once_and_then_left_alone() {
    let run = Run::new(&["run/systemd/system", "etc/awslogs"]);
    let words = with(&["--proxy", "http://u:pass@proxy:3128"]);
    let (code, out, err) = run.go(&words);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("firstrun: wrote /etc/ecs/ecs.config\n"), "{out}");
    assert!(out.ends_with("firstrun: the ECS agent has joined web as arn:ci\n"), "{out}");
    assert!(run.text("etc/ecs/ecs.config").contains("ECS_CLUSTER=web\n"));
    assert!(run.text("etc/awslogs/awslogs.conf").contains("/shop/ec2/Group/var/log/messages"));
    assert!(run.text("var/log/firstrun.log").lines().count() > 8);

    let (code, out, _) = run.go(&words);
    assert_eq!(code, 0);
    assert!(!out.contains("wrote") && !out.contains("restarted"), "{out}");
    let (code, out, err) = run.go(&[&["check"][..], &words].concat());
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(!out.contains("pass"), "{out}");
}

#[test]
fn a_dry_run_shows_the_difference_and_writes_nothing() {
    let run = Run::new(&["run/systemd/system"]);
    fs::write(run.root.path().join("etc/ecs/ecs.config"), "ECS_CLUSTER=default\n").unwrap();
    let (code, out, _) = run.go(&["--cluster", "web", "--proxy", "http://u:pass@proxy:3128", "--dry-run"]);
    assert_eq!(code, 0);
    assert!(out.contains("-ECS_CLUSTER=default\n") && out.contains("+ECS_CLUSTER=web\n"), "{out}");
    assert!(out.contains("http://***@proxy:3128") && !out.contains("pass"), "{out}");
    assert_eq!(run.text("etc/ecs/ecs.config"), "ECS_CLUSTER=default\n");
    assert!(run.script.ran.borrow().is_empty() && !run.root.path().join("var").exists());
}

#[test]
fn a_check_names_what_is_not_right() {
    let mut run = Run::new(&["run/systemd/system", "etc/awslogs"]);
    run.script.answers = vec![("systemctl is-active docker", 3, "")];
    let words = [&["check"][..], &with(&[])].concat();
    let (code, out, err) = run.go(&words);
    assert_eq!((code, err.as_str()), (1, "firstrun: not everything is as configured\n"));
    assert!(out.contains("NOT OK /etc/ecs/ecs.config is not there\n"), "{out}");
    assert!(out.contains("NOT OK service docker does not run\n"), "{out}");
    assert!(out.contains("ok the ECS agent is in web as arn:ci\n"), "{out}");
    assert!(!run.root.path().join("etc/ecs/ecs.config").exists());
}

#[test]
fn hostile_values_and_failed_services_end_it_with_a_reason() {
    let mut run = Run::new(&["run/systemd/system"]);
    let (code, _, err) = run.go(&["--cluster", "web\nECS_BACKEND_HOST=evil"]);
    assert_eq!(code, 2);
    assert!(err.starts_with("firstrun: ECS_CLUSTER is not a cluster's name"), "{err}");
    assert!(!run.root.path().join("etc/ecs/ecs.config").exists());

    run.script.answers =
        vec![("systemctl is-active docker", 3, ""), ("systemctl start docker", 1, "Job failed.")];
    let (code, _, err) = run.go(&["--cluster", "web"]);
    assert_eq!(
        (code, err.as_str()),
        (1, "firstrun: systemctl start docker failed with exit code 1: Job failed.\n")
    );
    assert!(run.text("var/log/firstrun.log").contains("\"event\":\"failed\""));
}
