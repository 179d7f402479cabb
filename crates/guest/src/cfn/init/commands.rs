//! The `commands` section: shell lines and programs, in the order of their names.

use super::super::log::{Level, centered, rule};
use super::build::Build;
use super::error::{BuildError, IoContext};
use super::values::{Members, is_true, object, optional_text, text};
use crate::accounts;
use crate::runner::Spec;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

/// How many of a failing command's last lines are reported.
const LAST_LINES: usize = 20;

/// Runs the commands; returns the names of those that ran.
pub fn apply(build: &Build<'_>, section: &Members) -> Result<Vec<String>, BuildError> {
    if section.is_empty() {
        build.log.debug("No commands specified");
    }
    let ordered: BTreeMap<&String, &Value> = section.iter().collect();
    let mut ran = Vec::new();
    for (name, attributes) in ordered {
        build.log.debug(format_args!("Running command {name}"));
        let attributes = object(attributes, &format!("command {name}"))?;
        let attributes = with_defaults(build, name, attributes)?;
        if run_command(build, name, &attributes)? {
            ran.push(name.clone());
        }
    }
    Ok(ran)
}

/// Puts the output of the `defaults` program, a JSON object, under the attributes given.
fn with_defaults(build: &Build<'_>, name: &str, attributes: &Members) -> Result<Members, BuildError> {
    let Some(defaults) = attributes.get("defaults") else { return Ok(attributes.clone()) };
    build.log.debug(format_args!("Generating defaults for command {name}"));
    let mut spec = invocation(defaults, name, "defaults")?;
    spec.drop_stderr = true;
    let (code, output) =
        build.runner.output(&spec).during(|| format!("Defaults script for command {name} failed"))?;
    build.log.debug(format_args!("Defaults script for {name} output: {output}"));
    if code != 0 {
        return Err(BuildError::Tool(format!("Defaults script for command {name} failed")));
    }
    let mut merged = serde_json::from_str::<Members>(&output).map_err(|err| {
        BuildError::Tool(format!("Defaults script for command {name} did not print a JSON object: {err}"))
    })?;
    let mut env = merged.get("env").and_then(Value::as_object).cloned().unwrap_or_default();
    env.extend(attributes.get("env").and_then(Value::as_object).cloned().unwrap_or_default());
    merged.extend(attributes.clone());
    merged.insert("env".to_owned(), Value::Object(env));
    Ok(merged)
}

/// Runs one command unless its test says not to; returns whether it ran.
fn run_command(build: &Build<'_>, name: &str, attributes: &Members) -> Result<bool, BuildError> {
    let command = attributes.get("command").ok_or_else(|| {
        build.log.error(format_args!("No command specified for {name}"));
        BuildError::Tool(format!("{name} does not specify the 'command' attribute, which is required"))
    })?;
    let env = environment(attributes, name)?;
    let cwd = folder(build, attributes, name)?;
    if let Some(test) = attributes.get("test") {
        build.log.debug(format_args!("Running test for command {name}"));
        let spec = Spec { env: env.clone(), cwd: cwd.clone(), ..invocation(test, name, "test")? };
        let outcome = run_logged(build, &format!("Test for Command {name}"), &spec)?;
        if outcome.code != 0 {
            build.log.info(format_args!("Test failed with code {}", outcome.code));
            build
                .console
                .say(format_args!("skipping command {name}: its test exited with code {}", outcome.code));
            return Ok(false);
        }
        build.log.debug(format_args!("Test for command {name} passed"));
    } else {
        build.log.debug(format_args!("No test for command {name}"));
    }
    let spec = Spec { env, cwd, ..as_user(attributes, name, invocation(command, name, "command")?)? };
    build.console.say(format_args!("running command {name}"));
    let outcome = run_logged(build, &format!("Command {name}"), &spec)?;
    conclude(build, name, command, attributes, outcome)
}

fn conclude(
    build: &Build<'_>,
    name: &str,
    command: &Value,
    attributes: &Members,
    outcome: Outcome,
) -> Result<bool, BuildError> {
    if outcome.code == 0 {
        build.log.info(format_args!("Command {name} succeeded"));
        return Ok(true);
    }
    let line = text(command).unwrap_or_else(|| command.to_string());
    build.log.error(format_args!("Command {name} ({line}) failed"));
    build.console.say(format_args!("command {name} exited with code {}", outcome.code));
    for line in &outcome.last_lines {
        build.log.debug(format_args!("Command {name} output: {line}"));
    }
    if attributes.get("ignoreErrors").is_some_and(is_true) {
        build.log.info("ignoreErrors set to true, continuing build");
        return Ok(true);
    }
    Err(BuildError::CommandFailed {
        name: name.to_owned(),
        code: outcome.code,
        output: outcome.last_lines.into(),
    })
}

/// A string is a line for the shell, a list a program with its arguments.
fn invocation(value: &Value, name: &str, attribute: &str) -> Result<Spec, BuildError> {
    let wrong = || {
        BuildError::Metadata(format!("{attribute} of command {name} must be a string or a list of strings"))
    };
    match value {
        Value::Array(words) if !words.is_empty() => {
            let argv = words.iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
            Ok(Spec { argv, ..Spec::default() })
        }
        other => text(other).map(|line| Spec::shell(&line)).ok_or_else(wrong),
    }
}

/// `runas`: the command is given to `su`.
fn as_user(attributes: &Members, name: &str, spec: Spec) -> Result<Spec, BuildError> {
    let Some(user) = optional_text(attributes, "runas", &format!("command {name}"))? else { return Ok(spec) };
    let argv = match attributes.get("command") {
        Some(Value::Array(_)) => {
            ["su".to_owned(), user, "-c".to_owned()].into_iter().chain(spec.argv).collect()
        }
        _ => vec!["su".to_owned(), user, "-c".to_owned(), spec.argv.last().cloned().unwrap_or_default()],
    };
    Ok(Spec { argv, ..spec })
}

/// `env` is the whole environment: Amazon's documentation says that it replaces the existing one.
fn environment(attributes: &Members, name: &str) -> Result<Option<BTreeMap<String, String>>, BuildError> {
    let Some(env) = attributes.get("env").filter(|env| !super::values::is_falsy(env)) else {
        return Ok(None);
    };
    let pairs = object(env, &format!("env of command {name}"))?.iter().map(|(key, value)| {
        let value = text(value).ok_or_else(|| {
            BuildError::Metadata(format!("{key} in env of command {name} must be a string"))
        })?;
        Ok((key.clone(), value))
    });
    pairs.collect::<Result<_, _>>().map(Some)
}

fn folder(build: &Build<'_>, attributes: &Members, name: &str) -> Result<Option<PathBuf>, BuildError> {
    let Some(cwd) = optional_text(attributes, "cwd", &format!("command {name}"))? else { return Ok(None) };
    let expanded = expand_home(build, &cwd)?;
    Ok(Some(build.path(&expanded)))
}

/// `~` and `~user` at the beginning of a path.
fn expand_home(build: &Build<'_>, path: &str) -> Result<String, BuildError> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
    let (user, rest) = rest.split_once('/').map_or((rest, ""), |(user, rest)| (user, rest));
    let reading = || "cannot read /etc/passwd".to_owned();
    let found = if user.is_empty() {
        accounts::user_by_id(build.root, nix::unistd::geteuid().as_raw()).during(reading)?
    } else {
        accounts::user(build.root, user).during(reading)?
    };
    Ok(found.map_or_else(|| path.to_owned(), |user| format!("{}/{rest}", user.home.trim_end_matches('/'))))
}

struct Outcome {
    code: i32,
    last_lines: VecDeque<String>,
}

fn run_logged(build: &Build<'_>, title: &str, spec: &Spec) -> Result<Outcome, BuildError> {
    build.log.command(Level::Info, rule('='));
    build.log.command(Level::Info, title);
    let mut last_lines = VecDeque::with_capacity(LAST_LINES);
    let mut any = false;
    let ran = build.runner.run(spec, &mut |line| {
        if !std::mem::replace(&mut any, true) {
            build.log.command(Level::Info, centered("Command Output"));
        }
        build.log.command(Level::Info, format_args!("\t{line}"));
        if last_lines.len() == LAST_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(line.to_owned());
    });
    if any {
        build.log.command(Level::Info, rule('-'));
    }
    let code = ran.during(|| {
        let place = spec.cwd.as_ref().map(|cwd| format!(" in {}", cwd.display())).unwrap_or_default();
        format!("{title} failed: cannot run {}{place}", spec.argv.first().map_or("", String::as_str))
    });
    match &code {
        Ok(0) => build.log.command(Level::Info, "Completed successfully."),
        Ok(code) => build.log.command(Level::Error, format_args!("Exited with error code {code}")),
        Err(err) => build.log.command(Level::Error, err),
    }
    Ok(Outcome { code: code?, last_lines })
}
