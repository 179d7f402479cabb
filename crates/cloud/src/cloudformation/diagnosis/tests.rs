use super::*;

/// As Amazon's cfn-init 2.0 writes it.
const AMAZON_INIT: &str = "\
2024-05-30 07:51:17,700 [INFO] -----------------------Starting build-----------------------
2024-05-30 07:51:17,750 [INFO] Running configSets: default
2024-05-30 07:51:17,755 [DEBUG] Running command 05_public_volume
2024-05-30 07:51:17,800 [INFO] Command 05_public_volume succeeded
2024-05-30 07:51:17,801 [DEBUG] Command 05_public_volume output: 
2024-05-30 07:51:17,900 [DEBUG] Running command 10_first_run
2024-05-30 07:51:18,000 [ERROR] Command 10_first_run (sh firstrun.sh) failed
2024-05-30 07:51:18,000 [DEBUG] Command 10_first_run output: Checking disk
no [space] left
2024-05-30 07:51:18,001 [ERROR] Error encountered during build of config: Command 10_first_run failed
Traceback (most recent call last):
  File \"/usr/lib/python3.7/site-packages/cfnbootstrap/construction.py\", line 573, in run_config
ToolError: Command 10_first_run failed
2024-05-30 07:51:18,001 [ERROR] -----------------------BUILD FAILED!------------------------
2024-05-30 07:51:18,001 [ERROR] Unhandled exception during build: Command 10_first_run failed
";

const AMAZON_COMMANDS: &str = "\
2024-05-30 07:51:17,751 P2345 [INFO] ************************************************************
2024-05-30 07:51:17,751 P2345 [INFO] ConfigSet default
2024-05-30 07:51:17,752 P2345 [INFO] ============================================================
2024-05-30 07:51:17,752 P2345 [INFO] Command 05_public_volume
2024-05-30 07:51:17,800 P2345 [INFO] Completed successfully.
2024-05-30 07:51:17,900 P2345 [INFO] ============================================================
2024-05-30 07:51:17,900 P2345 [INFO] Command 10_first_run
2024-05-30 07:51:18,000 P2345 [INFO] -----------------------Command Output-----------------------
2024-05-30 07:51:18,000 P2345 [INFO] \tChecking disk
2024-05-30 07:51:18,000 P2345 [INFO] \tno [space] left
2024-05-30 07:51:18,000 P2345 [INFO] ------------------------------------------------------------
2024-05-30 07:51:18,000 P2345 [ERROR] Exited with error code 28
";

fn running(init_log: &str, command_log: &str, user_data_log: &str, finished: bool) -> Evidence {
    Evidence {
        init_log: init_log.to_owned(),
        command_log: command_log.to_owned(),
        user_data_log: user_data_log.to_owned(),
        finished,
        machine: Machine::Running,
        ..Evidence::default()
    }
}

#[test]
fn a_failed_command_is_named_with_its_code_and_output() {
    let told = diagnose(&running(AMAZON_INIT, AMAZON_COMMANDS, "", true)).to_string();
    assert_eq!(
        told,
        "cfn-init command 10_first_run (sh firstrun.sh) failed with exit code 28; its last output: Checking \
         disk | no [space] left"
    );
}

#[test]
fn without_the_command_log_the_other_one_gives_the_output() {
    let told = diagnose(&running(AMAZON_INIT, "", "", true)).to_string();
    assert_eq!(
        told,
        "cfn-init command 10_first_run (sh firstrun.sh) failed; its last output: Checking disk | no [space] left"
    );
}

#[test]
fn without_the_main_log_the_command_log_tells() {
    let told = diagnose(&running("", AMAZON_COMMANDS, "", false)).to_string();
    assert!(told.starts_with("cfn-init command 10_first_run failed with exit code 28; "), "{told}");
}

#[test]
fn a_failure_that_was_ignored_is_not_the_reason() {
    let ignored = "\
2024-05-30 07:51:17,700 [INFO] -----------------------Starting build-----------------------
2024-05-30 07:51:18,000 [ERROR] Command 01_try (false) failed
2024-05-30 07:51:18,000 [DEBUG] Command 01_try output: 
2024-05-30 07:51:18,000 [INFO] ignoreErrors set to true, continuing build
2024-05-30 07:51:18,001 [INFO] -----------------------Build complete-----------------------
";
    assert_eq!(last_failure(ignored), None);
    let told = diagnose(&running(ignored, "", "boom\n", true));
    assert_eq!(told, Diagnosis::Ended { output: vec!["boom".into()] });
}

#[test]
fn a_later_build_makes_an_earlier_failure_void() {
    let log = format!(
        "{AMAZON_INIT}2024-05-30 07:52:17,700 [INFO] -----------------------Starting build-----------------------\n"
    );
    assert_eq!(last_failure(&log), None);
}

#[test]
fn other_failures_of_cfn_init_are_told_in_its_words() {
    let cases = [
        (
            "2024-05-30 07:51:17,700 [ERROR] Error encountered during build of config: Failed to write /etc/x\n",
            "cfn-init failed: Failed to write /etc/x",
        ),
        (
            "2024-05-30 07:51:17,700 [ERROR] Client Error: Stack 'x' does not exist\n",
            "cfn-init failed: Client Error: Stack 'x' does not exist",
        ),
    ];
    for (log, expected) in cases {
        assert_eq!(diagnose(&running(log, "", "", true)).to_string(), expected);
    }
}

#[test]
fn phases_are_told_from_what_is_there() {
    let endless = "\
2024-05-30 07:51:17,900 P2345 [INFO] Command 10_first_run
2024-05-30 07:51:18,000 P2345 [INFO] -----------------------Command Output-----------------------
2024-05-30 07:51:18,000 P2345 [INFO] \t.....
";
    let cases = [
        (
            running("", endless, "Cloud-init v. 22 running 'modules:final'\n", false),
            "cfn-init command 10_first_run is still running; its last output: .....",
        ),
        (
            running("", "", "Cloud-init v. 22 running 'modules:final'\nhello\n", false),
            "user data is still running; its last output: hello",
        ),
        (
            running("", "", "Cloud-init v. 22 running 'init'\nnot user data's\n", false),
            "it is booting, its user data has not begun",
        ),
        (
            running(
                "",
                "",
                "not user data's\nCloud-init v. 22 running 'modules:final' at x\nhello\nCloud-init v. 22 finished at x\n",
                true,
            ),
            "user data has ended without signalling success; its last output: hello",
        ),
        (
            running("", "", "Cloud-init v. 22\n", true),
            "user data has ended without signalling success, it printed nothing",
        ),
        (running("", "", "", false), "it is booting, its user data has not begun"),
        (Evidence { machine: Machine::Exited, ..Evidence::default() }, "it has stopped"),
        (Evidence::default(), "it was not booted"),
    ];
    for (evidence, expected) in cases {
        assert_eq!(diagnose(&evidence).to_string(), expected);
    }
}

#[test]
fn an_agent_that_cannot_join_says_why() {
    let agent_log = "level=error time=x msg=\"Unable to register\" error=\"AccessDeniedException: denied\"\n";
    let waiting = Evidence { agent_log: agent_log.into(), ..running("", "", "waiting\n", false) };
    assert_eq!(
        sentence(&waiting),
        "user data is still running; its last output: waiting; its ECS agent: Unable to register: \
         AccessDeniedException: denied"
    );
    let gone = Evidence { machine: Machine::Exited, ..waiting };
    assert_eq!(sentence(&gone), "it has stopped");
}

#[test]
fn only_the_last_lines_are_shown_and_none_is_endless() {
    let long = "x".repeat(1000);
    let lines: Vec<String> = (0..20).map(|n| n.to_string()).chain([long]).collect();
    let shown = last_lines(lines);
    assert_eq!(shown.len(), LINES);
    assert_eq!(shown[0], "15");
    assert_eq!(shown[5].chars().count(), LINE_LENGTH + 1);
}

#[test]
fn a_missing_way_out_is_told_unless_the_api_was_reached() {
    const BEGUN: &str =
        "2024-05-30 07:51:17,700 [INFO] -----------------------Starting build-----------------------\n";
    const TIMEOUT: &str = "POST https://ecs.us-east-1.amazonaws.com/: timeout: connect";
    let agent = |error: &str| format!("level=error time=x msg=\"Unable to register\" error=\"{error}\"\n");
    let told = |init_log: &str, user_data: &str, agent_log: String| {
        let barrier = Some(Barrier::NoRoute { subnet: "subnet-1".into() });
        sentence(&Evidence { barrier, agent_log, ..running(init_log, "", user_data, false) })
    };
    let cases = [
        ("nothing was heard of the API", told("", "waiting\n", String::new()), true),
        ("cfn-init has its metadata", told(BEGUN, "waiting\n", String::new()), false),
        ("it has, but the agent connects to nobody", told(BEGUN, "waiting\n", agent(TIMEOUT)), true),
        (
            "it has, and the agent was heard and refused",
            told(BEGUN, "x\n", agent("AccessDeniedException: no")),
            false,
        ),
        (
            "it has, but another program connects to nobody",
            told(BEGUN, "curl: (28) Connection timed out\n", String::new()),
            true,
        ),
    ];
    for (what, sentence, expected) in cases {
        let found = sentence.contains("no route to the AWS endpoints from subnet-1");
        assert_eq!(found, expected, "{what}: {sentence}");
    }
    let open = sentence(&running("", "", "waiting\n", false));
    assert_eq!(open, "user data is still running; its last output: waiting");
}
