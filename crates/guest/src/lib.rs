//! The programs that live inside Drydock's instances, in one small static binary.
//!
//! | called as | what it is |
//! |---|---|
//! | `cfn-init` | applies `AWS::CloudFormation::Init` metadata |
//! | `cfn-signal` | signals a CreationPolicy, an UpdatePolicy or a wait condition |
//! | `cfn-get-metadata` | prints a resource's metadata |
//! | `firstrun` | configures the instance, starts its services and waits until it has joined its cluster |
//! | `ecs-agent`, `amazon-ecs-agent` | joins the instance to an ECS cluster and keeps its session |
//! | `awslogs-agent` | ships log files to CloudWatch Logs |
//!
//! Called by any other name, the first argument is the tool's name. Flags, messages, files and exit codes are
//! those of Amazon's `aws-cfn-bootstrap` and `amazon-ecs-agent`, so that scripts written for Amazon's AMIs run.
//! Everything reaches AWS by its ordinary addresses (IMDS at 169.254.169.254, `SERVICE.REGION.amazonaws.com`), so
//! the same binary works on AWS.
//!
//! Limits: `cfn-hup` is absent; packages from `rubygems`, `python` and `msi`, S3-authenticated downloads and
//! `bzip2`/`xz` archives are refused by name; the agent refuses tasks and sends no telemetry, and says so.

pub mod accounts;
pub mod aws;
pub mod awslogs;
pub mod cfn;
pub mod ecs_agent;
pub mod firstrun;
pub mod rotate;
pub mod runner;
#[cfg(test)]
mod testing;

use std::ffi::OsString;
use std::path::Path;

/// Runs the tool named by `argv[0]`, or by `argv[1]` under any other name, and returns its exit code.
pub fn run(argv: Vec<OsString>) -> u8 {
    match tool_name(&argv) {
        Some((tool, args)) => dispatch(&tool, args),
        None => usage(),
    }
}

fn tool_name(argv: &[OsString]) -> Option<(String, Vec<OsString>)> {
    let called_as = argv.first().and_then(|path| Path::new(path).file_name())?.to_str()?.to_owned();
    if is_tool(&called_as) {
        return Some((called_as, argv.to_vec()));
    }
    let named = argv.get(1)?.to_str()?.to_owned();
    is_tool(&named).then(|| (named, argv[1..].to_vec()))
}

fn is_tool(name: &str) -> bool {
    matches!(
        name,
        "cfn-init"
            | "cfn-signal"
            | "cfn-get-metadata"
            | "firstrun"
            | "ecs-agent"
            | "amazon-ecs-agent"
            | "awslogs-agent"
    )
}

fn dispatch(tool: &str, args: Vec<OsString>) -> u8 {
    match tool {
        "cfn-init" => cfn::init::main(args),
        "cfn-signal" => cfn::signal::main(args),
        "cfn-get-metadata" => cfn::get_metadata::main(args),
        "firstrun" => firstrun::main(args),
        "ecs-agent" | "amazon-ecs-agent" => ecs_agent::main(args),
        "awslogs-agent" => awslogs::daemon::main(args),
        _ => usage(),
    }
}

fn usage() -> u8 {
    eprintln!(
        "usage: drydock-guest cfn-init|cfn-signal|cfn-get-metadata|firstrun|ecs-agent|awslogs-agent [ARGUMENTS]"
    );
    2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_tool_is_named_by_the_link_or_by_the_first_argument() {
        let cases: &[(&[&str], Option<&str>)] = &[
            (&["/opt/aws/bin/cfn-init", "-v"], Some("cfn-init")),
            (&["cfn-signal"], Some("cfn-signal")),
            (&["/usr/libexec/amazon-ecs-agent"], Some("amazon-ecs-agent")),
            (&["drydock-guest", "ecs-agent", "start"], Some("ecs-agent")),
            (&["drydock-guest"], None),
            (&["drydock-guest", "cfn-hup"], None),
            (&[], None),
        ];
        for (words, expected) in cases {
            let found = tool_name(&argv(words)).map(|(tool, _)| tool);
            assert_eq!(found.as_deref(), *expected, "{words:?}");
        }
    }
}
