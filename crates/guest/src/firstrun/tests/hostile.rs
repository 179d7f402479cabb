//! Hostile values: each is refused by its name before anything is written, or comes out of every file as it went in.

use super::Run;
use crate::awslogs::config::names::tests::Known;
use crate::awslogs::config::{Sources, load};
use std::process::Command;

const HOSTILE: [&str; 22] = [
    "a b",
    " a",
    "a ",
    "a\nb",
    "a\r\nb",
    "a\tb",
    "a\"b",
    "a'b",
    "a`id`",
    "$(id)",
    "${HOME}",
    "a;b",
    "a&b",
    "a|b",
    "a#b",
    "a%b",
    "%n",
    "a\\b",
    "]\n[x]",
    "a=b",
    "ü",
    "\u{1b}[31m",
];

/// The flags that take text, with what makes the rest of a good value.
const FLAGS: [(&str, &str, &str); 9] = [
    ("--cluster", "", ""),
    ("--stack", "", ""),
    ("--group", "", ""),
    ("--region", "", ""),
    ("--proxy", "http://", ":3128"),
    ("--no-proxy", "", ""),
    ("--ecs-attribute", "rack=", ""),
    ("--ecs-config", "ECS_LOGLEVEL=", ""),
    ("--log", "/var/log/x", "=%H:%M"),
];

fn run_with(flag: &str, value: &str) -> (Run, u8, String) {
    let run = Run::new(&["run/systemd/system", "etc/awslogs"]);
    let mut words: Vec<String> =
        ["--stack", "shop", "--group", "Group", "--region", "us-east-1"].map(str::to_owned).to_vec();
    // The cluster that the agent of these tests has joined.
    words.extend(["--cluster", "web"].map(str::to_owned));
    match words.iter().position(|word| word == flag) {
        Some(at) => words[at + 1] = value.to_owned(),
        None => words.extend([flag.to_owned(), value.to_owned()]),
    }
    words.push("--health-timeout=0".to_owned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (code, _, err) = run.go(&words);
    (run, code, err)
}

#[test]
fn what_is_not_refused_comes_out_of_every_file_as_it_went_in() {
    let mut taken = 0;
    for (flag, before, after) in FLAGS {
        for hostile in HOSTILE {
            let value = format!("{before}{hostile}{after}");
            let (run, code, err) = run_with(flag, &value);
            if code == 2 {
                assert_eq!(err.lines().count(), 1, "{flag} {value:?}: {err}");
                assert!(!run.root.path().join("etc/ecs/ecs.config").exists(), "{flag} {value:?}");
                continue;
            }
            taken += 1;
            let expected = value.strip_prefix(before).unwrap();
            match flag {
                "--cluster" => assert_eq!(of_agent(&run, "ECS_CLUSTER"), value),
                "--ecs-config" => assert_eq!(of_agent(&run, "ECS_LOGLEVEL"), expected),
                "--ecs-attribute" => {
                    let json: serde_json::Value =
                        serde_json::from_str(&of_agent(&run, "ECS_INSTANCE_ATTRIBUTES")).unwrap();
                    assert_eq!(json["rack"], expected);
                }
                "--proxy" => proxies_are(&run, &value),
                "--no-proxy" => assert!(of_agent(&run, "ECS_CLUSTER") == "web", "{value}"),
                "--stack" => {
                    assert!(groups(&run).iter().all(|group| group.starts_with(&format!("/{value}/"))))
                }
                "--group" => {
                    assert!(groups(&run).iter().all(|group| group.contains(&format!("/ec2/{value}/"))))
                }
                "--log" => assert_eq!(groups(&run).len(), 7, "{value}"),
                _ => {}
            }
        }
    }
    // Most are refused; a table that refuses all would prove nothing.
    assert!((9..60).contains(&taken), "{taken}");
}

/// A setting as Docker's environment file has it.
fn of_agent(run: &Run, name: &str) -> String {
    let text = run.text("etc/ecs/ecs.config");
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&format!("{name}=")));
    let value = values.next().unwrap_or_default().to_owned();
    assert_eq!(values.next(), None, "{text}");
    value
}

/// A proxy as a shell, the log agent and the ECS agent read it.
fn proxies_are(run: &Run, url: &str) {
    let profile = run.root.path().join("etc/profile.d/firstrun-proxy.sh");
    let script = ". \"$1\" && printf %s \"$HTTPS_PROXY\"";
    let said = Command::new("sh").args(["-c", script, "sh"]).arg(profile).output().unwrap();
    assert_eq!(String::from_utf8(said.stdout).unwrap(), url);
    assert_eq!(of_agent(run, "HTTPS_PROXY"), url);
    assert_eq!(logs(run).proxy.https.as_deref(), Some(url));
}

/// The log groups as our own log agent reads them.
fn groups(run: &Run) -> Vec<String> {
    logs(run).streams.into_iter().map(|stream| stream.log_group_name).collect()
}

fn logs(run: &Run) -> crate::awslogs::config::Settings {
    let at = |name: &str| run.root.path().join("etc/awslogs").join(name);
    let sources = Sources {
        config: at("awslogs.conf"),
        additional_configs_dir: at("config"),
        aws_config: at("awscli.conf"),
        proxy: at("proxy.conf"),
    };
    let loaded = load(&sources, &Known(true));
    assert_eq!(loaded.problems, []);
    loaded.settings.unwrap()
}
