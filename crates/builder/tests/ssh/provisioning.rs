//! The provisioners, with options read from templates, on a real machine: this one, by SSH.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use builder::{
    communicator::Communicator,
    provision::{ProvisionError, breakpoint, file, shell, shell_local},
    ui::Ui,
};
use packer_template::{
    Block, BuildData, Context, Errors, Files, Host, Source, Template, VarInputs, Variables,
    config::{Breakpoint, File, Shell, ShellLocal},
};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::sshd::{CUT, Sshd, mode};

/// Keeps what is said, with a mark for its kind.
#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    answer: Option<String>,
}

impl Said {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock())
    }

    fn add(&self, mark: &str, message: &str) {
        self.lines.lock().push(format!("{mark} {message}"));
    }
}

#[async_trait]
impl Ui for Said {
    fn say(&self, message: &str) {
        self.add("==>", message);
    }
    fn message(&self, message: &str) {
        self.add("out", message);
    }
    fn error(&self, message: &str) {
        self.add("err", message);
    }
    fn machine(&self, _: &str, _: &[&str]) {}
    async fn ask(&self, question: &str) -> Option<String> {
        self.add("ask", question);
        self.answer.clone()
    }
}

struct Disk;

impl Files for Disk {
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
    fn read(&self, path: &Path) -> Option<String> {
        fs::read_to_string(path).ok()
    }
}

fn data() -> BuildData {
    let mut data = BuildData::placeholder("mine", "amazon-ebs");
    data.values.insert("ID".to_owned(), "i-0123".to_owned());
    data.values.insert("PackerHTTPAddr".to_owned(), "ERR_HTTP_ADDR_NOT_IMPLEMENTED_BY_BUILDER".to_owned());
    data.values.insert("PackerHTTPIP".to_owned(), "ERR_HTTP_IP_NOT_IMPLEMENTED_BY_BUILDER".to_owned());
    data.values.insert("PackerHTTPPort".to_owned(), "ERR_HTTP_PORT_NOT_IMPLEMENTED_BY_BUILDER".to_owned());
    data
}

/// Reads the options of one provisioner, as a template's.
fn decode<T>(options: &serde_json::Value, decode: fn(&Block, &Context) -> Result<T, Errors>) -> T {
    let text = serde_json::json!({
        "builders": [{ "type": "amazon-ebs", "name": "mine" }],
        "provisioners": [options],
    });
    let template = Template::parse(&Source::new("packer.json", text.to_string())).expect("a template");
    let host = Host {
        env: HashMap::new(),
        start: "2021-03-04T13:04:05Z".parse().expect("a time"),
        cwd: "/".into(),
        template: None,
        files: Arc::new(Disk),
        uuid: String::new,
    };
    let variables = Variables::resolve(&template, &VarInputs::default(), &host).expect("variables");
    let context = Context::new(Arc::new(host), Arc::new(variables)).with_build(data());
    decode(&template.provisioners[0].block, &context).unwrap_or_else(|errors| panic!("{errors}"))
}

async fn run_shell(
    communicator: &dyn Communicator,
    said: &Said,
    options: serde_json::Value,
) -> Result<(), ProvisionError> {
    let config = decode(&options, Shell::decode);
    shell::run(&config, Path::new("/"), communicator, &data(), said, &CancellationToken::new()).await
}

async fn run_file(
    communicator: &dyn Communicator,
    said: &Said,
    options: serde_json::Value,
) -> Result<(), ProvisionError> {
    let config = decode(&options, File::decode);
    file::run(&config, Path::new("/"), communicator, said, &CancellationToken::new()).await
}

async fn run_local(said: &Said, folder: &Path, options: serde_json::Value) -> Result<(), ProvisionError> {
    let config = decode(&options, ShellLocal::decode);
    shell_local::run(&config, folder, &data(), said, &CancellationToken::new()).await
}

macro_rules! options {
    ($($json:tt)+) => { serde_json::json!({ $($json)+ }) };
}

#[tokio::test]
async fn inline_lines_are_one_script_that_stops_at_the_first_failure() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let options = options!("type": "shell", "inline": ["cd /", "pwd", "echo to stderr >&2; sleep 0.1", "false", "echo never"]);
    let error = run_shell(communicator.as_ref(), &said, options).await.expect_err("a line fails");
    assert_eq!(error.to_string(), "Script exited with non-zero exit status: 1. Allowed exit codes are: [0]");
    assert_eq!(
        said.take(),
        ["==> Provisioning with shell script: inline (5 lines)", "out /", "err to stderr"]
    );
}

#[tokio::test]
async fn scripts_run_in_order_with_their_variables() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    fs::write(
        sshd.path("a.sh"),
        "#!/bin/bash\r\necho \"a $0\"; env | grep -E '^(PACKER|VALUE|EMPTY)' | sort",
    )
    .expect("written");
    fs::write(sshd.path("b.sh"), "#!/usr/bin/env bash\nset -e\necho b").expect("written");
    let options = options!(
        "type": "shell", "scripts": [sshd.text("a.sh"), sshd.text("b.sh")],
        "remote_path": sshd.text("remote.sh"),
        "environment_vars": ["VALUE=it's \"{{build `ID`}}\" $HOME", "EMPTY="]
    );
    run_shell(communicator.as_ref(), &said, options).await.expect("both run");
    assert_eq!(
        said.take(),
        [
            &format!("==> Provisioning with shell script: {}", sshd.text("a.sh")),
            &format!("out a {}", sshd.text("remote.sh")),
            "out EMPTY=",
            "out PACKER_BUILDER_TYPE=amazon-ebs",
            "out PACKER_BUILD_NAME=mine",
            "out VALUE=it's \"i-0123\" $HOME",
            &format!("==> Provisioning with shell script: {}", sshd.text("b.sh")),
            "out b",
        ]
    );
    assert!(!sshd.path("remote.sh").exists());
}

#[tokio::test]
async fn a_script_may_stay_and_binary_content_is_left_alone() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    fs::write(sshd.path("a.sh"), "#!/bin/sh\nprintf 'a\r\nb'").expect("written");
    let options = options!(
        "type": "shell", "script": sshd.text("a.sh"), "binary": true, "skip_clean": true,
        "remote_folder": sshd.text(""), "remote_file": "stays.sh"
    );
    run_shell(communicator.as_ref(), &said, options).await.expect("it runs");
    assert_eq!(fs::read(sshd.path("stays.sh")).expect("it stays"), b"#!/bin/sh\nprintf 'a\r\nb'");
    assert_eq!(mode(&sshd.path("stays.sh")), 0o755);
    assert_eq!(said.take()[1..], ["out a", "out b"]);
}

#[tokio::test]
async fn exit_codes_are_allowed_by_the_list() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let codes =
        |code: i32| options!("type": "shell", "inline": [format!("exit {code}")], "valid_exit_codes": [0, 7]);
    run_shell(communicator.as_ref(), &said, codes(7)).await.expect("allowed");
    let error = run_shell(communicator.as_ref(), &said, codes(8)).await.expect_err("not allowed");
    assert_eq!(
        error.to_string(),
        "Script exited with non-zero exit status: 8. Allowed exit codes are: [0 7]"
    );
}

#[tokio::test]
async fn variables_may_come_by_a_file() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let folder = sshd.text("scripts");
    fs::create_dir(&folder).expect("a directory");
    let options = options!(
        "type": "shell", "inline": ["echo \"$VALUE\"", format!("stat -c '%a' {folder}/varfile_*")], "use_env_var_file": true,
        "environment_vars": ["VALUE=it's"], "remote_folder": folder
    );
    run_shell(communicator.as_ref(), &said, options).await.expect("it runs");
    assert_eq!(said.take()[1..], ["out it's", "out 600"]);
    assert_eq!(fs::read_dir(&folder).expect("a directory").count(), 0, "everything is removed");
}

#[tokio::test]
async fn the_command_is_the_templates() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let options = options!(
        "type": "shell", "inline": ["echo $0 $VALUE $1"], "inline_shebang": "/bin/bash -e",
        "environment_vars": ["VALUE=x"], "remote_path": sshd.text("r.sh"),
        "execute_command": "echo {{ .Path }}; env {{ .Vars }} bash {{.Path}} {{build `ID`}}"
    );
    run_shell(communicator.as_ref(), &said, options).await.expect("it runs");
    let path = sshd.text("r.sh");
    assert_eq!(said.take()[1..], [format!("out {path}"), format!("out {path} x i-0123")]);
}

#[tokio::test]
async fn a_lost_connection_is_a_failure_unless_expected() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let path = sshd.text("r.sh");
    let cut = |extra: serde_json::Value| {
        let mut options = options!(
            "type": "shell", "remote_path": path,
            "inline": ["echo cutting", CUT]
        );
        options.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        options
    };
    let error =
        run_shell(communicator.as_ref(), &said, cut(options!("skip_clean": false))).await.expect_err("lost");
    assert!(error.to_string().starts_with("Script disconnected unexpectedly. If you expected"), "{error}");
    assert_eq!(said.take()[1..], ["out cutting"]);
    for allowed in [options!("expect_disconnect": true), options!("valid_exit_codes": [0, 2_300_218])] {
        run_shell(communicator.as_ref(), &said, cut(allowed)).await.expect("expected");
        assert!(!Path::new(&path).exists(), "removed over a new connection");
    }
}

/// The machine is away between two steps, as when it starts again.
#[tokio::test]
async fn a_machine_that_is_away_is_waited_for() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let kept = tempfile::tempdir().expect("a directory");
    crate::sshd::run(
        std::process::Command::new("cp").arg("-a").arg(sshd.dir.path()).arg(kept.path().join("dir")),
    );
    let old = sshd.text("");
    drop(sshd);
    let back = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        crate::sshd::run(
            std::process::Command::new("cp")
                .arg("-a")
                .arg(kept.path().join("dir"))
                .arg(old.trim_end_matches('/')),
        );
        crate::sshd::again(Path::new(&old))
    });
    let options = options!("type": "shell", "inline": ["echo back"], "start_retry_timeout": "20s");
    run_shell(communicator.as_ref(), &said, options).await.expect("it is back");
    assert_eq!(said.take().last().map(String::as_str), Some("out back"));
    drop(back.await.expect("no panic"));

    let options = options!("type": "shell", "inline": ["echo back"], "start_retry_timeout": "300ms");
    let start = Instant::now();
    let error = run_shell(communicator.as_ref(), &said, options).await.expect_err("it stays away");
    assert!(matches!(error, ProvisionError::Communicator(_)), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_cannot_be_copied_is_not_tried_again() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let start = Instant::now();
    let options = options!("type": "shell", "inline": ["true"], "remote_path": "/dev/full");
    let error = run_shell(communicator.as_ref(), &said, options).await.expect_err("a full disk");
    assert_eq!(error.to_string(), "cannot upload /dev/full: /dev/full: No space left on device");
    let options = options!("type": "shell", "inline": ["true"], "remote_folder": "/nowhere");
    let error = run_shell(communicator.as_ref(), &said, options).await.expect_err("no folder");
    assert!(error.to_string().contains("No such file or directory"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_step_stops_at_its_own_token() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let config = decode(&options!("type": "shell", "inline": ["echo started; sleep 100"]), Shell::decode);
    let (stop, data) = (CancellationToken::new(), data());
    let running = shell::run(&config, Path::new("/"), communicator.as_ref(), &data, &said, &stop);
    let stopping = async {
        while said.lines.lock().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let (result, ()) = tokio::join!(running, stopping);
    assert!(matches!(result, Err(ProvisionError::Cancelled)));
    // The build itself goes on.
    assert_eq!(crate::sshd::say(communicator.as_ref(), "echo on").await, "on\n");
}

#[tokio::test]
async fn files_are_uploaded_and_downloaded() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    let here = tempfile::tempdir().expect("a directory");
    let local = |name: &str| here.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::write(local("first run.sh"), "x").expect("written");
    fs::write(local("two"), "2").expect("written");
    fs::create_dir(sshd.path("dir")).expect("a directory");

    let (source, target) = (local("first run.sh"), sshd.text("there.sh"));
    run_file(communicator.as_ref(), &said, options!("type": "file", "source": source, "destination": target))
        .await
        .expect("copied");
    assert_eq!(said.take(), [format!("==> Uploading {source} => {target}")]);
    assert_eq!(fs::read(&target).expect("a file"), b"x");

    // Into a directory, with and without the slash that says so.
    for target in [sshd.text("dir/"), sshd.text("dir")] {
        let options = options!("type": "file", "sources": [source, local("two")], "destination": target);
        run_file(communicator.as_ref(), &said, options).await.expect("copied");
        assert_eq!(fs::read(sshd.path("dir/first run.sh")).expect("a file"), b"x");
        assert_eq!(fs::read(sshd.path("dir/two")).expect("a file"), b"2");
        fs::remove_file(sshd.path("dir/two")).expect("removed");
    }
    said.take();

    let target = local("new/folder/back");
    let options = options!("type": "file", "direction": "download", "source": sshd.text("there.sh"), "destination": target);
    run_file(communicator.as_ref(), &said, options).await.expect("copied back");
    assert_eq!(said.take(), [format!("==> Downloading {} => {target}", sshd.text("there.sh"))]);
    assert_eq!(fs::read(&target).expect("a file"), b"x");
    let options = options!("type": "file", "direction": "download", "source": sshd.text("there.sh"), "destination": local("new/folder/"));
    run_file(communicator.as_ref(), &said, options).await.expect("copied back");
    assert_eq!(fs::read(local("new/folder/there.sh")).expect("a file"), b"x");

    run_file(
        communicator.as_ref(),
        &said,
        options!("type": "file", "source": local("new"), "destination": sshd.text("dir")),
    )
    .await
    .expect("copied");
    assert!(sshd.path("dir/new/folder/back").is_file());
    let options =
        options!("type": "file", "source": format!("{}/", local("new")), "destination": sshd.text("dir"));
    run_file(communicator.as_ref(), &said, options).await.expect("copied");
    assert!(sshd.path("dir/folder/back").is_file());
}

#[tokio::test]
async fn a_copy_that_fails_says_so() {
    let sshd = Sshd::start();
    let (communicator, said) = (sshd.connect().await, Said::default());
    fs::write(sshd.path("file"), "x").expect("written");
    let options = options!("type": "file", "source": sshd.text("file"), "destination": "/dev/full");
    let error = run_file(communicator.as_ref(), &said, options).await.expect_err("a full disk");
    assert_eq!(error.to_string(), "cannot upload /dev/full: /dev/full: No space left on device");
    assert_eq!(said.take()[1..], [format!("err Upload failed: {error}")]);

    let options =
        options!("type": "file", "source": "/nowhere/file", "destination": "/tmp/x", "generated": true);
    let error = run_file(communicator.as_ref(), &said, options).await.expect_err("never made");
    assert_eq!(error.to_string(), "/nowhere/file: No such file or directory (os error 2)");

    let here = tempfile::tempdir().expect("a directory");
    let target = here.path().join("x").to_str().expect("UTF-8").to_owned();
    let options =
        options!("type": "file", "direction": "download", "source": "/nowhere/file", "destination": target);
    let error = run_file(communicator.as_ref(), &said, options).await.expect_err("not there");
    assert!(error.to_string().starts_with("cannot download /nowhere/file: "), "{error}");
}

#[tokio::test]
async fn local_scripts_run_here() {
    let folder = tempfile::tempdir().expect("a directory");
    let said = Said::default();
    fs::write(folder.path().join("s.sh"), "echo script $VALUE in $(pwd)").expect("written");
    let options = options!("type": "shell-local", "inline": ["echo $VALUE $PACKER_BUILD_NAME {{build `ID`}}; pwd", "echo err >&2"], "environment_vars": ["VALUE=it's"]);
    run_local(&said, folder.path(), options).await.expect("it runs");
    let mut lines = said.take();
    let path = lines[0].strip_prefix("==> Running local shell script: ").expect("a script").to_owned();
    assert!(!Path::new(&path).exists(), "{path} is removed");
    lines.sort();
    let folder_line = format!("out {}", folder.path().display());
    assert_eq!(lines[1..], ["err err", &folder_line, "out it's mine i-0123"]);

    let options = options!("type": "shell-local", "command": "exit 3", "tempfile_extension": ".sh");
    let error = run_local(&said, folder.path(), options).await.expect_err("a failure");
    assert_eq!(error.to_string(), "Script exited with non-zero exit status: 3. Allowed exit codes are: [0]");
    assert!(said.take()[0].ends_with(".sh"));
    let options = options!("type": "shell-local", "inline": ["kill -TERM $$"], "valid_exit_codes": [143]);
    run_local(&said, folder.path(), options).await.expect("allowed");

    let options = options!("type": "shell-local", "inline": ["echo x"], "execute_command": ["/bin/sh", "-c", "{{.Vars}} echo own; cat {{.Script}}"]);
    said.take();
    run_local(&said, folder.path(), options).await.expect("it runs");
    assert_eq!(said.take()[1..], ["out own", "out #!/bin/sh -e", "out echo x"]);

    let options =
        options!("type": "shell-local", "inline": ["true"], "execute_command": ["/nowhere/program"]);
    let error = run_local(&said, folder.path(), options).await.expect_err("no program");
    assert_eq!(error.to_string(), "/nowhere/program: No such file or directory (os error 2)");

    said.take();
    let options = options!("type": "shell-local", "inline": ["echo never"], "only_on": ["windows"]);
    run_local(&said, folder.path(), options).await.expect("skipped");
    assert_eq!(said.take().len(), 1);
}

#[tokio::test]
async fn a_local_script_ends_with_all_it_started() {
    let folder = tempfile::tempdir().expect("a directory");
    let pid = folder.path().join("pid");
    let options = options!("type": "shell-local", "inline": [format!("sleep 100 & echo $! > {0}.new; mv {0}.new {0}; wait", pid.display())]);
    let config = decode(&options, ShellLocal::decode);
    let (stop, said, data) = (CancellationToken::new(), Said::default(), data());
    let running = shell_local::run(&config, folder.path(), &data, &said, &stop);
    let stopping = async {
        while !pid.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.cancel();
    };
    let (result, ()) = tokio::join!(running, stopping);
    assert!(matches!(result, Err(ProvisionError::Cancelled)));
    let process = format!("/proc/{}", fs::read_to_string(pid).expect("a pid").trim());
    let gone = || fs::read_to_string(format!("{process}/stat")).map_or(true, |stat| stat.contains(") Z "));
    let start = Instant::now();
    while !gone() {
        assert!(start.elapsed() < Duration::from_secs(5), "{process} still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn breakpoints_wait_for_the_user() {
    let cancel = CancellationToken::new();
    let said = Said { answer: Some(String::new()), ..Said::default() };
    let config = decode(&options!("type": "breakpoint", "note": "look"), Breakpoint::decode);
    breakpoint::run(&config, &said, &cancel).await.expect("enter");
    assert_eq!(
        said.take(),
        ["==> Pausing at breakpoint provisioner with note \"look\".", "ask Press enter to continue."]
    );

    let config = decode(&options!("type": "breakpoint", "disable": true), Breakpoint::decode);
    breakpoint::run(&config, &said, &cancel).await.expect("disabled");
    assert_eq!(said.take(), ["==> Breakpoint provisioner disabled; continuing..."]);

    let nobody = Said::default();
    let config = decode(&options!("type": "breakpoint"), Breakpoint::decode);
    let error = breakpoint::run(&config, &nobody, &cancel).await.expect_err("no terminal");
    assert!(matches!(error, ProvisionError::NoTerminal), "{error}");
    cancel.cancel();
    let error = breakpoint::run(&config, &nobody, &cancel).await.expect_err("cancelled");
    assert!(matches!(error, ProvisionError::Cancelled), "{error}");
}
