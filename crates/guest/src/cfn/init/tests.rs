//! Whole runs of `cfn-init` on a file system of their own.

use super::*;
use crate::aws::imds::Imds;
use crate::runner::Spec;
use crate::testing::{NoSleep, Received, Reply, Server, http_client};
use serde_json::json;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Mutex;

/// Records what it is asked to run; answers 0, or what was set for a line that begins so.
#[derive(Default)]
struct FakeRunner {
    ran: Mutex<Vec<String>>,
    codes: Vec<(&'static str, i32)>,
}

impl Runner for FakeRunner {
    fn run(&self, spec: &Spec, _: &mut dyn FnMut(&str)) -> io::Result<i32> {
        let line = spec.argv.join(" ");
        let code = self.codes.iter().find(|(start, _)| line.starts_with(start)).map_or(0, |(_, code)| *code);
        self.ran.lock().unwrap().push(line);
        Ok(code)
    }
}

struct Instance {
    root: tempfile::TempDir,
}

struct Outcome {
    code: u8,
    err: String,
    log: String,
    commands: String,
}

impl Instance {
    fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().permissions().mode() & 0o7777
    }

    fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), content).unwrap();
    }

    /// Applies an `AWS::CloudFormation::Init` given on standard input.
    fn init(&self, init: Value, extra: &[&str]) -> Outcome {
        self.init_with(init, extra, &SystemRunner)
    }

    fn init_with(&self, init: Value, extra: &[&str], runner: &dyn Runner) -> Outcome {
        let stdin = json!({INIT_KEY: init}).to_string();
        let args: Vec<&str> = extra.iter().copied().chain(["-"]).collect();
        self.run(&args, &stdin, "http://127.0.0.1:1", runner)
    }

    fn run(&self, args: &[&str], stdin: &str, imds: &str, runner: &dyn Runner) -> Outcome {
        let options = Options::try_parse_from(["cfn-init"].iter().chain(args)).unwrap();
        let mut err = Vec::new();
        let code = {
            let mut world = World {
                root: self.root.path().to_owned(),
                http: http_client(),
                imds: Imds::new(http_client(), imds),
                sleeper: &NoSleep,
                stdin: &mut stdin.as_bytes(),
                stdout: &mut io::sink(),
                stderr: &mut err,
            };
            run(&options, &mut world, runner)
        };
        let read = |path: &str| fs::read_to_string(self.path(path)).unwrap_or_default();
        Outcome {
            code,
            err: String::from_utf8(err).unwrap(),
            log: read("/var/log/cfn-init.log"),
            commands: read("/var/log/cfn-init-cmd.log"),
        }
    }
}

fn commands(commands: Value) -> Value {
    json!({"config": {"commands": commands}})
}

#[test]
fn commands_run_by_name_in_their_folder_with_their_environment() {
    let instance = Instance::new();
    instance.write("/home/ec2-user/first", "");
    let out = instance.path("/out").display().to_string();
    let outcome = instance.init(
        commands(json!({
            "20_second": {"command": ["/bin/sh", "-c", format!("echo second >> {out}")]},
            "10_first": {
                "command": format!("ls >> {out}; echo \"$A ${{HOME-unset}}\" >> {out}"),
                "cwd": "/home/ec2-user",
                "env": {"A": "b"},
            },
        })),
        &[],
    );
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    assert_eq!(instance.read("/out"), "first\nb unset\nsecond\n");
    assert!(outcome.log.contains("[INFO] -----------------------Starting build-----------------------"));
    assert!(outcome.log.contains("[INFO] Command 10_first succeeded"));
    assert!(outcome.log.contains("Build complete") && !outcome.log.contains("[DEBUG]"));
}

#[test]
fn a_failing_command_stops_the_build_and_is_reported() {
    let instance = Instance::new();
    let init = commands(json!({
        "10_first_run": {"command": "echo hello; echo oops >&2; exit 3"},
        "20_never": {"command": "exit 0"},
    }));
    let outcome = instance.init(init, &["-v"]);
    assert_eq!(outcome.code, 1);
    let expected = "cfn-init: running config config of configSet default\n\
                    cfn-init: running command 10_first_run\n\
                    cfn-init: command 10_first_run exited with code 3\n\
                    Error occurred during build: Command 10_first_run failed\n\
                    Command 10_first_run exited with code 3\n\thello\n\toops\n";
    assert_eq!(outcome.err, expected);
    for line in ["Command 10_first_run", "\thello", "\toops", "Exited with error code 3", "ConfigSet default"]
    {
        assert!(outcome.commands.contains(&format!("] {line}\n")), "{line}: {}", outcome.commands);
    }
    assert!(outcome.log.contains("[ERROR] Command 10_first_run (echo hello; echo oops >&2; exit 3) failed"));
    assert!(outcome.log.contains(&format!("[ERROR] {}", centered("BUILD FAILED!"))));
    assert!(!outcome.commands.contains("20_never"));
}

#[test]
fn without_verbose_the_failure_is_two_lines() {
    let outcome = Instance::new().init(commands(json!({"a": {"command": "echo x; exit 1"}})), &[]);
    assert_eq!(outcome.err, "Error occurred during build: Command a failed\nCommand a exited with code 1\n");
}

#[test]
fn tests_and_ignored_errors_decide_what_goes_on() {
    let instance = Instance::new();
    let out = instance.path("/out").display().to_string();
    let append = |word: &str| format!("echo {word} >> {out}");
    let outcome = instance.init(
        commands(json!({
            "1": {"command": append("skipped"), "test": "exit 4"},
            "2": {"command": append("tested"), "test": ["/bin/sh", "-c", "test \"$A\" = b"], "env": {"A": "b"}},
            "3": {"command": format!("{}; exit 1", append("ignored")), "ignoreErrors": "true"},
            "4": {"command": append("last"), "waitAfterCompletion": "0"},
        })),
        &[],
    );
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(instance.read("/out"), "tested\nignored\nlast\n");
    assert!(outcome.log.contains("[INFO] Test failed with code 4"));
    assert!(outcome.log.contains("[INFO] ignoreErrors set to true, continuing build"));
    assert!(outcome.commands.contains("] Test for Command 1\n"));
}

#[test]
fn defaults_lie_under_the_attributes() {
    let instance = Instance::new();
    let out = instance.path("/out").display().to_string();
    let outcome = instance.init(
        commands(json!({
            "a": {
                "defaults": "echo '{\"env\": {\"A\": \"default\", \"B\": \"default\"}}'",
                "command": format!("echo $A $B > {out}"),
                "env": {"B": "given"},
            },
        })),
        &[],
    );
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(instance.read("/out"), "default given\n");
}

#[test]
fn faulty_commands_are_named() {
    let cases = [
        (json!({"a": {}}), "a does not specify the 'command' attribute, which is required"),
        (json!({"a": {"command": []}}), "command of command a must be a string or a list of strings"),
        (json!({"a": {"command": "x", "env": {"K": []}}}), "K in env of command a must be a string"),
        (json!({"a": {"command": "x", "cwd": "/nope"}}), "Command a failed: cannot run /bin/sh in "),
        (json!({"a": []}), "command a must be a mapping, not a list"),
    ];
    for (section, message) in cases {
        let outcome = Instance::new().init(commands(section.clone()), &[]);
        assert_eq!(outcome.code, 1);
        assert!(
            outcome.err.starts_with(&format!("Error occurred during build: {message}")),
            "{section}: {}",
            outcome.err
        );
    }
}

#[test]
fn config_sets_run_in_the_order_asked() {
    let instance = Instance::new();
    let out = instance.path("/out").display().to_string();
    let config = |word: &str| json!({"commands": {"a": {"command": format!("echo {word} >> {out}")}}});
    let init = json!({
        "configSets": {"default": ["one"], "all": [{"ConfigSet": "default"}, "two"]},
        "one": config("one"), "two": config("two"),
    });
    assert_eq!(instance.init(init.clone(), &["-c", "all,default"]).code, 0);
    assert_eq!(instance.read("/out"), "one\ntwo\none\n");
    let outcome = instance.init(init, &["--configsets", "nope"]);
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.err, "Error occurred during build: Error: no ConfigSet named nope exists\n");
}

fn files(files: Value) -> Value {
    json!({"config": {"files": files}})
}

#[test]
fn files_are_written_with_content_and_mode() {
    let instance = Instance::new();
    let outcome = instance.init(
        files(json!({
            "/etc/new/plain": {"content": "hello\n", "mode": "000400"},
            "/etc/json": {"content": {"a": [1, "b"]}},
            "/etc/binary": {"content": "AAEC\n", "encoding": "base64", "mode": "755"},
            "/etc/template": {"content": "Hi {{name}}", "context": {"name": "you"}},
            "/etc/link": {"content": "/etc/json", "mode": "120644"},
        })),
        &["-v"],
    );
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(
        (instance.read("/etc/new/plain").as_str(), instance.mode("/etc/new/plain")),
        ("hello\n", 0o400)
    );
    assert_eq!(instance.read("/etc/json"), r#"{"a":[1,"b"]}"#);
    assert_eq!(fs::read(instance.path("/etc/binary")).unwrap(), [0, 1, 2]);
    assert_eq!((instance.mode("/etc/binary"), instance.mode("/etc/json") & 0o002), (0o755, 0));
    assert_eq!(instance.read("/etc/template"), "Hi you");
    assert_eq!(fs::read_link(instance.path("/etc/link")).unwrap(), PathBuf::from("/etc/json"));
    assert!(outcome.err.contains("cfn-init: writing file /etc/json\n"));
}

#[test]
fn an_old_file_is_kept_as_a_backup_with_its_mode() {
    let instance = Instance::new();
    instance.write("/etc/conf", "old");
    fs::set_permissions(instance.path("/etc/conf"), fs::Permissions::from_mode(0o600)).unwrap();
    let init = files(json!({"/etc/conf": {"content": "new"}}));
    assert_eq!(instance.init(init.clone(), &[]).code, 0);
    assert_eq!((instance.read("/etc/conf").as_str(), instance.mode("/etc/conf")), ("new", 0o600));
    assert_eq!(instance.read("/etc/conf.bak"), "old");
    assert_eq!(instance.init(init, &[]).code, 0);
    assert_eq!(instance.read("/etc/conf.bak"), "old");
    let left: Vec<_> = fs::read_dir(instance.path("/etc")).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn files_come_from_addresses_and_owners_from_the_instance() {
    let server = Server::start(|request| match request.target.as_str() {
        "/ok" => Reply::new(200, "remote"),
        _ => Reply::new(403, "denied"),
    });
    let instance = Instance::new();
    let ids = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    instance.write("/etc/passwd", &format!("me:x:{}:{}::/home/me:/bin/sh\n", ids.0, ids.1));
    instance.write("/etc/group", &format!("us:x:{}:\n", ids.1));
    let init = files(
        json!({"/opt/f": {"source": server.url("/ok"), "owner": "me", "group": "us", "mode": "000644"}}),
    );
    let outcome = instance.init(init, &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(instance.read("/opt/f"), "remote");

    let denied = server.url("/denied");
    let cases = [
        (json!({"/f": {"source": denied}}), format!("Failed to retrieve {denied}: HTTP Error 403 : denied")),
        (
            json!({"/f": {"content": "x", "owner": "nobody-here"}}),
            "nobody-here is not a valid user name".into(),
        ),
        (json!({"/f": {"content": "x", "group": "none-here"}}), "none-here is not a valid group name".into()),
        (json!({"f": {"content": "x"}}), "File specified with non-absolute path: f".into()),
        (json!({"/f": {}}), "File specified without source or content: /f".into()),
        (json!({"/f": {"content": "x", "mode": "rw"}}), "mode of file /f is not octal: \"rw\"".into()),
        (json!({"/f": {"mode": "120000"}}), "Symbolic link specified without a destination".into()),
    ];
    for (section, message) in cases {
        let outcome = instance.init(files(section.clone()), &[]);
        assert_eq!(outcome.err, format!("Error occurred during build: {message}\n"), "{section}");
        assert!(!instance.path("/f").exists());
    }
}

#[test]
fn sections_run_in_amazons_order_and_services_restart_on_change() {
    let instance = Instance::new();
    for program in ["/sbin/service", "/sbin/chkconfig"] {
        instance.write(program, "");
    }
    let runner = FakeRunner {
        codes: vec![("yum -C -y list installed", 1), ("systemctl is-active", 3)],
        ..FakeRunner::default()
    };
    let outcome = instance.init_with(
        json!({"config": {
            "services": {
                "sysvinit": {"web": {"enabled": "true", "ensureRunning": true, "files": ["/etc/web"]}},
                "systemd": {"db": {"enabled": false, "ensureRunning": "true", "packages": {"yum": ["other"]}}},
                "launchd": {"x": {}},
            },
            "commands": {"a": {"command": "true"}},
            "files": {"/etc/web": {"content": "x"}},
            "users": {"app": {"groups": [], "homeDir": "/srv"}},
            "groups": {"ops": {"gid": "45"}},
            "packages": {"yum": {"httpd": []}},
            "mystery": {},
        }}),
        &[],
        &runner,
    );
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    let expected = [
        "yum -y makecache",
        "yum -C -y list installed httpd",
        "yum -C -y --showduplicates list available httpd",
        "yum -y install httpd",
        "/usr/sbin/groupadd -r -g 45 ops",
        "/usr/sbin/useradd -M -r --shell /sbin/nologin -d /srv app",
        "/bin/sh -c true",
        "/sbin/chkconfig web on",
        "/sbin/service web restart",
        "systemctl disable db",
        "systemctl is-active db",
        "systemctl start db",
    ];
    assert_eq!(*runner.ran.lock().unwrap(), expected);
    assert!(outcome.log.contains("[WARNING] Unsupported service manager: launchd"));
    assert!(outcome.log.contains("[WARNING] Config config has an unknown key, which is ignored: mystery"));
}

#[test]
fn what_is_not_done_is_refused_by_name() {
    let instance = Instance::new();
    let init = json!({"config": {"packages": {"python": {"requests": []}}}});
    let outcome = instance.init_with(init, &[], &FakeRunner::default());
    assert_eq!(outcome.code, 1);
    assert_eq!(
        outcome.err,
        "Error occurred during build: The package manager python is not supported by this cfn-init\n"
    );
}

#[test]
fn metadata_comes_from_the_stack_by_the_instances_identity() {
    fn answer(request: &Received) -> Reply {
        match request.target.as_str() {
            "/latest/api/token" => Reply::new(200, "T"),
            "/latest/dynamic/instance-identity/document" => Reply::new(200, "{}"),
            "/latest/dynamic/instance-identity/signature" => Reply::new(200, "s\n"),
            _ => {
                let metadata = json!({INIT_KEY: {"config": {"files": {"/f": {"content": "x"}}}}}).to_string();
                let detail = json!({"LogicalResourceId": "Web", "Metadata": metadata});
                let result = json!({"DescribeStackResourceResult": {"StackResourceDetail": detail}});
                Reply::new(200, json!({"DescribeStackResourceResponse": result}).to_string())
            }
        }
    }
    let server = Server::start(answer);
    let url = server.url("");
    let instance = Instance::new();
    let args = ["-v", "--stack", "web", "--resource", "Web", "--region", "eu-west-1", "--url", &url];
    let outcome = instance.run(&args, "", &url, &SystemRunner);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert_eq!(instance.read("/f"), "x");
    assert!(instance.read("/var/lib/cfn-init/data/metadata.json").contains("\"/f\""));
    let call = server.requests().into_iter().find(|request| request.target.starts_with("/?")).unwrap();
    assert_eq!(call.header("authorization"), Some("CFN_V1 e30=:s"));
    assert_eq!(call.header("accept"), Some("application/json"));
    assert_eq!(call.query("Action").as_deref(), Some("DescribeStackResource"));
    assert_eq!(call.query("LogicalResourceId").as_deref(), Some("Web"));
}

#[test]
fn bad_sources_are_told() {
    let instance = Instance::new();
    let cases: &[(&[&str], &str, u8, &str)] = &[
        (&[], "", 1, "Error: You must specify an input source for metadata"),
        (&["-s", "x"], "", 1, "Error: You must specify both a stack name and logical resource id\n"),
        (&["-s", "x", "-"], "", 1, "Error: You cannot specify more than one input source for metadata\n"),
        (&["-"], "{", 1, "Error decoding JSON from stdin: "),
        (&["/no/such"], "", 1, "/no/such: No such file"),
        (&["-"], "{\"a\": 1}", 0, "Could not find 'AWS::CloudFormation::Init' key in stdin input.\n"),
    ];
    for (args, stdin, code, message) in cases {
        let outcome = instance.run(args, stdin, "http://127.0.0.1:1", &SystemRunner);
        assert_eq!(outcome.code, *code, "{args:?}");
        assert!(outcome.err.starts_with(message), "{args:?}: {}", outcome.err);
    }
}
