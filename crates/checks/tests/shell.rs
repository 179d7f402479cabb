//! The probe's script, run by the shells of this machine.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashMap;
use std::process::Command;
use std::time::{Duration, Instant};

use checks::{Answers, Checks, Part, Question, Verdict};
use proptest::prelude::*;

const MARK: &str = "0f1e2d3c4b5a6978";

/// Runs a part's script by a shell and returns what it printed.
fn output(shell: &str, part: &Part) -> Vec<u8> {
    let done = Command::new(shell).arg("-c").arg(part.script(MARK)).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// Asks this machine everything and returns the answers.
fn ask(shell: &str, checks: &Checks) -> Answers {
    let mut answers = Answers::default();
    for part in checks.probe().parts() {
        answers.update(part.read(MARK, &output(shell, &part), "broke off"));
    }
    answers
}

fn judge(text: &str) -> Vec<Verdict> {
    let checks = Checks::parse("checks.toml", text).unwrap();
    let verdicts = checks.judge(&ask("/bin/sh", &checks));
    assert_eq!(verdicts, checks.judge(&ask("/bin/bash", &checks)), "the shells agree");
    verdicts
}

#[track_caller]
fn lines(text: &str) -> Vec<String> {
    judge(text).iter().flat_map(Verdict::lines).collect()
}

/// A basic string of TOML.
fn toml(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[test]
fn what_holds_of_any_linux_machine() {
    let verdicts = judge(
        r#"
        [[mount]]
        path = "/proc"
        type = "proc"
        options = ["rw"]
        [[mount]]
        path = "/etc"
        mounted = false
        [[file]]
        path = "/dev/null"
        type = "character_device"
        mode = "0666"
        owner = "root"
        group = "0"
        [[file]]
        path = "/proc/self"
        type = "symlink"
        [[file]]
        path = ["/", "/usr/", "/proc/self"]
        type = "directory"
        [[file]]
        path = "/nowhere/at/all"
        exists = false
        [[file]]
        glob = "/etc/pass*"
        [[file]]
        glob = "/etc/nothing-like-?*"
        exists = false
        [[line]]
        file = "/etc/passwd"
        matches = "^root:"
        count = 1
        [[package]]
        package = "nothing-like-it"
        installed = false
        [[user]]
        user = "root"
        uid = 0
        gid = 0
        groups = ["root"]
        home = "/root"
        [[user]]
        user = "nobody-like-it"
        exists = false
        [[group]]
        group = "root"
        gid = 0
        [[kernel_parameter]]
        parameter = "kernel.ostype"
        value = "Linux"
        [[command]]
        run = "echo out; echo err >&2; exit 3"
        exit = 3
        stdout = "out"
        stderr = "err"
        "#,
    );
    for verdict in verdicts {
        assert!(matches!(verdict, Verdict::Held { .. }), "{verdict:?}");
    }
}

#[test]
fn nothing_that_a_command_does_disturbs_another() {
    let text = format!(
        r#"
        [[command]]
        run = "exit 7"
        exit = 7
        [[command]]
        run = "cd /tmp; mark=x; limit=0; work=/; unset PATH"
        [[command]]
        run = 'printf "%s" "no newline at the end"'
        stdout = "no newline at the end"
        [[command]]
        run = 'printf "\n%s 5 0 3 0\nend" {MARK}'
        stdout_contains = "{MARK} 5 0 3 0"
        [[command]]
        run = 'printf "\n{MARK} end\n"'
        [[command]]
        run = 'kill -9 $$'
        exit = 137
        [[command]]
        run = "cat"
        stdout = ""
        [[command]]
        run = 'printf "\377\000x"'
        stdout_matches = "x$"
        [[command]]
        run = "pwd; umask"
        stdout = "/\n0022"
        "#
    );
    for verdict in judge(&text) {
        assert!(matches!(verdict, Verdict::Held { .. }), "{verdict:?}");
    }
}

#[test]
fn a_command_that_takes_too_long_is_ended_and_the_others_are_answered() {
    let began = Instant::now();
    let told = lines(
        r#"
        [[command]]
        run = "sleep 60"
        timeout = "300ms"
        [[command]]
        run = "sleep 60 & echo done"
        stdout = "done"
        "#,
    );
    assert_eq!(
        told,
        ["expected its end within 300ms, found it still running", "exit code 0, standard output \"done\""]
    );
    assert!(began.elapsed() < Duration::from_secs(20), "what runs in the background is not waited for");
}

#[test]
fn an_output_without_end_is_cut_and_counts_as_unknown() {
    let told = lines(
        r#"
        [[command]]
        run = "head -c 3000000 /dev/zero"
        stdout = ""
        [[command]]
        run = "echo next"
        stdout = "next"
        "#,
    );
    assert_eq!(told[0], "cannot tell: an output of 3000000 bytes is too long to be read");
    assert_eq!(told[1], "exit code 0, standard output \"next\"");
}

#[test]
fn the_script_leaves_nothing() {
    // Where the answer is kept meanwhile, as the command itself sees it.
    let checks = Checks::parse("checks.toml", "[command]\nrun = 'readlink /proc/self/fd/1'").unwrap();
    let answers = ask("/bin/sh", &checks);
    let file = &answers.to(&checks.iter().next().unwrap().questions()[0]).unwrap().stdout;
    let directory = std::path::Path::new(file.trim()).parent().unwrap();
    assert!(directory.file_name().unwrap().to_str().unwrap().starts_with("drydock-checks."), "{file}");
    assert!(!directory.exists(), "{file}");
}

#[test]
fn too_much_for_one_command_line_is_asked_in_parts() {
    let mut text = String::new();
    for number in 0..100 {
        text += &format!("[[command]]\nrun = \"echo {number} #{}\"\nstdout = '{number}'\n", "x".repeat(2000));
    }
    let checks = Checks::parse("checks.toml", &text).unwrap();
    let parts = checks.probe().parts();
    assert!(parts.len() > 1, "{}", parts.len());
    // MAX_ARG_STRLEN
    assert!(parts.iter().all(|part| part.command(MARK).len() < 128 << 10));
    for verdict in checks.judge(&ask("/bin/sh", &checks)) {
        assert!(!verdict.fails(), "{verdict:?}");
    }
}

#[test]
fn quotes_upon_quotes_fit_into_a_command_line_or_are_refused() {
    for (count, fits) in [(4000, true), (40_000, false)] {
        let run = format!("echo {}", "'".repeat(count));
        let parsed = Checks::parse("checks.toml", &format!("[command]\nrun = {}", toml(&run)));
        assert_eq!(parsed.is_ok(), fits, "{count}");
        if let Ok(checks) = parsed {
            assert!(checks.probe().parts()[0].command(MARK).len() < 128 << 10);
            assert!(checks.judge(&ask("/bin/sh", &checks)).iter().all(|verdict| !verdict.fails()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is in a value reaches the machine as it is, through all layers of quoting.
    #[test]
    fn values_reach_the_machine_as_they_are(values in prop::collection::vec("[^\0\r\n]{1,40}", 1..12)) {
        let text: String = values
            .iter()
            .map(|value| format!("[[file]]\npath = {}\nexists = false\n", toml(&format!("/nowhere/{value}"))))
            .collect();
        let checks = Checks::parse("checks.toml", &text).unwrap();
        for verdict in checks.judge(&ask("/bin/sh", &checks)) {
            prop_assert!(!verdict.fails(), "{verdict:?}");
        }
    }

    /// Names of files with anything in them are found, and so are lines in them.
    #[test]
    fn files_of_any_name_are_found(name in "[^\0/]{1,30}", line in "[^\0\r\n]{0,60}") {
        prop_assume!(name != "." && name != "..");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(&name);
        std::fs::write(&path, format!("first\n{line}\nlast")).unwrap();
        let path = toml(path.to_str().unwrap());
        let text = format!(
            "[[file]]\npath = {path}\ntype = 'file'\n[[line]]\nfile = {path}\nequals = {}\n[[file]]\nglob = {path}\n",
            toml(&line),
        );
        let checks = Checks::parse("checks.toml", &text).unwrap();
        for verdict in checks.judge(&ask("/bin/sh", &checks)) {
            prop_assert!(!verdict.fails(), "{verdict:?}");
        }
    }

    /// Whatever commands print, and with whatever they exit, is read as it was.
    #[test]
    fn answers_are_read_as_they_were_given(outputs in prop::collection::vec(("[^\0]{0,80}", "[^\0]{0,40}", 0..=255u8), 1..10)) {
        let text: String = outputs
            .iter()
            .enumerate()
            .map(|(at, (out, err, exit))| {
                let run = format!(
                    "# {at}\nprintf %s {}; printf %s {} >&2; exit {exit}",
                    shell_words::quote(out), shell_words::quote(err),
                );
                format!("[[command]]\nrun = {}\n", toml(&run))
            })
            .collect();
        let checks = Checks::parse("checks.toml", &text).unwrap();
        let answers = ask("/bin/sh", &checks);
        for (check, (out, err, exit)) in checks.iter().zip(&outputs) {
            let answer = answers.to(&check.questions()[0]).unwrap();
            prop_assert_eq!((&answer.stdout, &answer.stderr, answer.exit), (out, err, i32::from(*exit)));
        }
    }

    /// A transcript that breaks off anywhere gives answers for what came whole, and the reason for the rest.
    #[test]
    fn a_transcript_may_break_off_anywhere(at in 0.0..1.0f64) {
        let checks = Checks::parse("checks.toml", "[[command]]\nrun='echo 1'\n[[command]]\nrun='echo 2'\n[[command]]\nrun='echo 3'\n").unwrap();
        let part = &checks.probe().parts()[0];
        let whole = output("/bin/sh", part);
        let cut = &whole[..(whole.len() as f64 * at) as usize];
        let answers = part.read(MARK, cut, "the line went dead");
        let questions: HashMap<Question, String> =
            checks.iter().enumerate().map(|(at, check)| (check.questions()[0].clone(), format!("{}\n", at + 1))).collect();
        for (question, expected) in questions {
            match answers.to(&question) {
                Ok(answer) => prop_assert_eq!(&answer.stdout, &expected),
                Err(unknown) => prop_assert_eq!(unknown.to_string(), "the machine gave no answer: the line went dead"),
            }
        }
    }

    /// Nor does anything else that a machine might print disturb the reader.
    #[test]
    fn any_output_is_read_without_a_panic(noise in prop::collection::vec(any::<u8>(), 0..400), heads in prop::collection::vec("(\n0f1e2d3c4b5a6978 (end|[0-9]{1,20} [0-9-]{1,5} [0-9]{1,20} [0-9]{1,4})\n)?", 0..4)) {
        let checks = Checks::parse("checks.toml", "[[command]]\nrun='echo 1'\n").unwrap();
        let mut output = noise;
        for head in heads {
            output.extend(head.bytes());
        }
        checks.probe().parts()[0].read(MARK, &output, "");
    }
}
