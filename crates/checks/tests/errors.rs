//! What is said about files that cannot be used: everything at once, with its place.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use checks::Checks;
use proptest::prelude::*;

fn errors(text: &str) -> String {
    Checks::parse("checks.toml", text).unwrap_err().to_string()
}

#[test]
fn everything_wrong_is_told_at_once() {
    insta::assert_snapshot!(errors(
        r#"# An image's checks.
[[mounts]]
path = "/data"

[[mount]]
pth = "/data"
label = 7
options = 7

[[file]]
path = "firstrun.sh"
mode = 644
modes = "0644"

[[file]]
path = "/etc/x"
exists = false
mode = "0644"

[[file]]
path = "/etc/x"
glob = "/etc/*"
sha256 = "abc"

[[file]]
mode = "9999"

[[line]]
file = "/etc/ntp.conf"

[[line]]
file = "/etc/ntp.conf"
matches = "(server"
count = -1

[[line]]
file = "/etc/ntp.conf"
contains = "pool"
absent = true
count = 0

[[package]]
package = ["jq", "aws logs"]
version = "~> 1"

[[service]]
service = "docker"
state = "stopped"

[[user]]
user = "-x"
shel = "/bin/bash"

[[port]]
port = 70000
protocol = "sctp"
address = "localhost"

[[command]]
run = "true"
timeout = "soon"
within = "-3s"
skip = 1

[[command]]
run = " "

[[time_zone]]
zone = "../../etc/passwd"

[[kernel_parameter]]
parameter = "../x"
value = "1"

[[environment]]
variable = "A-B"

[[docker_image]]
image = "-v"
"#
    ));
}

#[test]
fn syntax_errors_have_a_place_too() {
    insta::assert_snapshot!(errors("[[file]]\npath = \"/etc/x\nmode = '0644'\n[[line\n"));
}

#[test]
fn nothing_to_verify_is_an_error() {
    for (text, words) in [
        ("", "there is no check: nothing would be verified"),
        ("# only words\n", "there is no check"),
        ("[command]\nrun = 'true'\nskip = true", "every check is skipped"),
        ("[command]\nrun = 'true'\nskip = 'later'", "every check is skipped"),
        (
            "file = 3",
            "`file` must be a table, not this integer; write each as a table that begins with [[file]]",
        ),
        ("[command]\nrun = \"a\\u0000b\"", "checks.toml:2:7: a NUL character cannot be checked for"),
    ] {
        assert!(errors(text).contains(words), "{text}: {}", errors(text));
    }
}

#[test]
fn one_check_of_a_kind_needs_no_list() {
    let checks =
        Checks::parse("x", "[service]\nservice = ['docker', 'ecs']\nrunning = false\nname = 'off'").unwrap();
    let claims: Vec<String> = checks.iter().map(checks::Check::claim).collect();
    assert_eq!(claims, ["off (docker)", "off (ecs)"]);
}

#[test]
fn checks_keep_the_order_of_the_file() {
    let text = "[[user]]\nuser = 'a'\n[[file]]\npath = '/b'\n[[user]]\nuser = 'c'\n[[command]]\nrun = 'd'\n";
    let checks = Checks::parse("x", text).unwrap();
    let kinds: Vec<&str> = checks.iter().map(|check| check.kind).collect();
    assert_eq!(kinds, ["user", "file", "user", "command"]);
}

/// Something like a file of checks.
fn document() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(checks::kinds::ALL.iter().map(|kind| kind.name).collect::<Vec<_>>());
    let key = prop::sample::select(vec![
        "path",
        "glob",
        "file",
        "mode",
        "owner",
        "size",
        "sha256",
        "target",
        "type",
        "label",
        "device",
        "options",
        "equals",
        "contains",
        "matches",
        "count",
        "absent",
        "package",
        "version",
        "service",
        "enabled",
        "running",
        "user",
        "uid",
        "groups",
        "group",
        "port",
        "address",
        "run",
        "exit",
        "stdout",
        "timeout",
        "zone",
        "parameter",
        "value",
        "variable",
        "image",
        "name",
        "why",
        "skip",
        "within",
        "exists",
    ]);
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        "[ -~]{0,20}".prop_map(|text| format!("{text:?}")),
        "/[ -~]{0,20}".prop_map(|text| format!("{text:?}")),
        prop::sample::select(vec![
            "'0644'",
            "'10s'",
            "'20GiB'",
            "'>= 1.5'",
            "'tcp'",
            "['a', 'b']",
            "[]",
            "{}",
            "1e9"
        ])
        .prop_map(str::to_owned),
    ];
    let field = (key, value).prop_map(|(key, value)| format!("{key} = {value}\n"));
    let table = (kind, prop::collection::vec(field, 0..6))
        .prop_map(|(kind, fields)| format!("[[{kind}]]\n{}", fields.concat()));
    prop::collection::vec(table, 0..5).prop_map(|tables| tables.concat())
}

proptest! {
    /// Nothing that anybody writes makes the reader panic, and what it accepts can be asked and judged.
    #[test]
    fn no_file_makes_the_reader_panic(text in prop_oneof![document(), ".{0,200}", "[\\[\\]a-z=\"'\n{}.0-9]{0,80}"]) {
        match Checks::parse("checks.toml", &text) {
            Ok(checks) => {
                for part in checks.probe().parts() {
                    let answers = part.read("mark", part.command("mark").as_bytes(), "no");
                    prop_assert_eq!(checks.judge(&answers).len(), checks.iter().count());
                }
            }
            Err(errors) => {
                let lines = text.lines().count().max(1) + 1;
                prop_assert!(errors.iter().count() > 0);
                prop_assert!(errors.iter().all(|error| (1..=lines).contains(&error.place.line)), "{errors}");
            }
        }
    }

    /// Nor does anything that a machine answers.
    #[test]
    fn no_answer_makes_the_judges_panic(stdout in "(\\PC|\n|[0-9a-fA-F: /|=-]){0,120}", exit in -1..256i32) {
        let text = checks::kinds::ALL.iter().map(|kind| example(kind.name)).collect::<String>();
        let checks = Checks::parse("checks.toml", &text).unwrap();
        let answer = checks::Answer { exit, stdout, ..checks::Answer::default() };
        let answers = checks.iter().flat_map(checks::Check::questions).map(|question| (question, answer.clone())).collect();
        prop_assert_eq!(checks.judge(&answers).len(), checks.iter().count());
    }
}

/// A check of each kind that looks at everything its kind can look at.
fn example(kind: &str) -> String {
    let fields = match kind {
        "mount" => "path = '/d'\ndevice = '/dev/x'\nlabel = 'l'\ntype = 'ext4'\noptions = ['rw']\nsize = 1",
        "file" => "path = '/d'\nmode = '0644'\nowner = 'a'\ngroup = 'a'\nsize = 1",
        "line" => "file = '/d'\nmatches = 'a'",
        "package" => "package = 'a'\nversion = '> 1'",
        "service" => "service = 'a'\nenabled = true\nrunning = true",
        "user" => "user = 'a'\nuid = 1\ngroups = 'a'\nshell = '/bin/sh'",
        "group" => "group = 'a'\ngid = 1\nmembers = ['a']",
        "port" => "port = 1\naddress = '::'",
        "command" => "run = 'a'\nstdout = 'x'",
        "time_zone" => "zone = 'UTC'",
        "kernel_parameter" => "parameter = 'a.b'\nvalue = '1'",
        "environment" => "variable = 'A'\nmatches = 'x'",
        "docker_image" => "image = 'a'",
        other => panic!("no example of {other}"),
    };
    format!("[[{kind}]]\n{fields}\n")
}
