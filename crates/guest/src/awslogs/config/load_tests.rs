use super::*;
use crate::awslogs::config::names::tests::Known;
use proptest::prelude::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn load(&self, config: &str) -> Loaded {
        let at = |name: &str| self.0.path().join(name);
        let sources = Sources {
            config: at(config),
            additional_configs_dir: at("config"),
            aws_config: at("awscli.conf"),
            proxy: at("proxy.conf"),
        };
        load(&sources, &Known(true))
    }
}

const SECTION: &str = "file = /a\nlog_group_name = g\nlog_stream_name = {instance_id}\n";

#[test]
fn the_files_together_are_the_configuration() {
    let folder = Folder::new(&[
        ("awslogs.conf", &format!("[general]\nstate_file = /s\n[a]\n{SECTION}")),
        ("config/one.conf", &format!("[b]\n{SECTION}")),
        ("config/two.conf", &format!("[DEFAULT]\ntime_zone = UTC\n[c]\n{SECTION}")),
        ("awscli.conf", "[plugins]\ncwlogs = cwlogs\n[default]\nregion = us-east-1\n"),
        ("proxy.conf", "HTTPS_PROXY=http://p:3128\nNO_PROXY=169.254.169.254\n"),
    ]);
    let loaded = folder.load("awslogs.conf");
    assert_eq!(loaded.problems, []);
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.region.as_deref(), Some("us-east-1"));
    assert_eq!(settings.proxy.https.as_deref(), Some("http://p:3128"));
    let sections: Vec<&str> = settings.streams.iter().map(|stream| stream.section.as_str()).collect();
    assert_eq!(sections, ["a", "b", "c"]);
}

#[test]
fn a_section_that_was_read_before_is_passed_over() {
    let folder = Folder::new(&[
        ("awslogs.conf", &format!("[general]\n[a]\n{SECTION}")),
        ("config/one.conf", &format!("[general]\nstate_file = /other\n[a]\n{SECTION}")),
    ]);
    let loaded = folder.load("awslogs.conf");
    let told: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("one.conf:1: warning: [general] is in a file that was read before"), "{told:?}");
    assert!(told[1].contains("one.conf:3: warning: [a] is in a file"), "{told:?}");
    assert_eq!(loaded.settings.unwrap().streams.len(), 1);
}

#[test]
fn without_anything_to_ship_the_agent_waits_for_a_configuration() {
    let loaded = Folder::new(&[("awslogs.conf", "[general]\n")]).load("awslogs.conf");
    assert!(loaded.settings.unwrap().streams.is_empty());
    assert!(
        loaded.problems[0]
            .to_string()
            .ends_with("warning: there is no file to ship; write a section for each file")
    );
}

#[test]
fn without_a_configuration_the_agent_does_not_start() {
    for (files, said) in [
        (vec![], "there is no such file; name the configuration with --config"),
        (vec![("awslogs.conf", "[general]\nnonsense\n")], ":2: error: \"nonsense\" is neither"),
    ] {
        let loaded = Folder::new(&files).load("awslogs.conf");
        assert!(loaded.settings.is_none());
        assert_eq!(loaded.problems.len(), 1, "{:?}", loaded.problems);
        assert!(loaded.problems[0].to_string().contains(said), "{:?}", loaded.problems);
    }
}

#[test]
fn the_cloudwatch_agents_folder_is_a_configuration_too() {
    let entry = r#"{"logs": {"logs_collected": {"files": {"collect_list": [{"file_path": "/a.log"}]}}}}"#;
    let folder =
        Folder::new(&[("etc/firstrun.json", entry), ("awscli.conf", "[default]\nregion = us-east-1\n")]);
    for config in ["etc", "etc/firstrun.json"] {
        let loaded = folder.load(config);
        assert_eq!(loaded.problems, []);
        let settings = loaded.settings.unwrap();
        assert_eq!((settings.streams.len(), settings.region.as_deref()), (1, Some("us-east-1")));
    }
}

#[test]
fn what_is_no_text_is_told() {
    let folder = Folder::new(&[]);
    std::fs::write(folder.0.path().join("awslogs.conf"), b"[general]\n# caf\xe9\n").unwrap();
    let loaded = folder.load("awslogs.conf");
    assert!(
        loaded.problems[0].to_string().contains("the file cannot be read: invalid utf-8"),
        "{:?}",
        loaded.problems
    );
}

proptest! {
    /// Whatever the files hold, there is an answer, and each problem names its file.
    #[test]
    fn no_configuration_is_too_odd(
        conf in "(\\[[a-z]{0,3}\\]?|[a-z_]{1,9} ?[=:]|[%{}\\[(*?0-9a-z \n\t\\]-]{0,6}|\n){0,20}",
        json in "[{}\\[\\]\",:a-z0-9 \n]{0,40}",
        proxy in "(export )?[A-Z_]{0,6}=?[ -~\n]{0,20}",
    ) {
        let folder = Folder::new(&[
            ("awslogs.conf", &conf), ("a.json", &json), ("proxy.conf", &proxy), ("awscli.conf", &conf),
            ("common-config.toml", &conf),
        ]);
        for config in ["awslogs.conf", "a.json"] {
            for problem in folder.load(config).problems {
                prop_assert!(problem.file.starts_with(folder.0.path()), "{problem}");
            }
        }
    }
}
