//! A provisioner with its options read.

use packer_template::config::{Breakpoint, File, LocalCommand, Shell, ShellLocal, ShellSource};
use packer_template::{Block, Context, Error, Errors};

/// A provisioner with its options.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Shell(Box<Shell>),
    File(File),
    ShellLocal(Box<ShellLocal>),
    Breakpoint(Breakpoint),
}

/// The types that there are.
const KINDS: &str = "breakpoint, file, shell, shell-local";

impl Step {
    /// Reads the options of a block.
    ///
    /// # Errors
    /// Everything wrong with them, and a type that Drydock does not have.
    pub fn decode(block: &Block, context: &Context) -> Result<Self, Errors> {
        match block.kind.as_str() {
            "shell" => Shell::decode(block, context).map(|found| Self::Shell(Box::new(found))),
            "file" => File::decode(block, context).map(Self::File),
            "shell-local" => {
                ShellLocal::decode(block, context).map(|found| Self::ShellLocal(Box::new(found)))
            }
            "breakpoint" => Breakpoint::decode(block, context).map(Self::Breakpoint),
            other => Err(Error::new(format!("the provisioner '{other}' is not supported by Drydock"))
                .at(&block.source, block.span)
                .path(&block.path)
                .help(format!("there are {KINDS}"))
                .into()),
        }
    }

    /// Its type and what it does, in a few words.
    pub fn describe(&self) -> String {
        match self {
            Self::Shell(shell) => match &shell.source {
                ShellSource::Inline(lines) => format!("shell {}", excerpt(lines)),
                ShellSource::Scripts(scripts) => format!("shell {}", scripts.join(" ")),
            },
            Self::File(file) => format!("file {} → {}", file.sources.join(" "), file.destination),
            Self::ShellLocal(local) => match &local.command {
                LocalCommand::Inline(lines) => format!("shell-local {}", excerpt(lines)),
                LocalCommand::Scripts(scripts) => format!("shell-local {}", scripts.join(" ")),
            },
            Self::Breakpoint(_) => "breakpoint".to_owned(),
        }
    }

    /// The code that its command ends with when it succeeds; none when there is no command, or several codes count.
    pub fn success_code(&self) -> Option<i32> {
        let codes = match self {
            Self::Shell(shell) if !shell.expect_disconnect => &shell.valid_exit_codes,
            Self::ShellLocal(local) => &local.valid_exit_codes,
            Self::Shell(_) | Self::File(_) | Self::Breakpoint(_) => return None,
        };
        match codes.as_slice() {
            [code] => Some(*code),
            _ => None,
        }
    }

    /// What is worth telling, though it is not wrong.
    pub fn warnings(&self) -> &[String] {
        match self {
            Self::Shell(shell) => &shell.warnings,
            Self::ShellLocal(local) => &local.warnings,
            Self::File(_) | Self::Breakpoint(_) => &[],
        }
    }
}

/// How much of an inline script names it.
const EXCERPT: usize = 40;

/// The beginning of an inline script.
fn excerpt(lines: &[String]) -> String {
    let first = lines.first().map_or("", |line| line.trim());
    let more = lines.len() > 1 || first.chars().count() > EXCERPT;
    let shown: String = first.chars().take(EXCERPT).collect();
    format!("\"{}{}\"", shown.trim_end(), if more { " …" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_scripts_are_named_by_their_beginning() {
        let cases: [(&[&str], &str); 4] = [
            (&[], "\"\""),
            (&["exit 1"], "\"exit 1\""),
            (&["  one", "two"], "\"one …\""),
            (
                &["sudo yum -y -x docker\\* -x ecs\\* update and more"],
                "\"sudo yum -y -x docker\\* -x ecs\\* update …\"",
            ),
        ];
        for (lines, expected) in cases {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            assert_eq!(excerpt(&lines), expected);
        }
    }
}
