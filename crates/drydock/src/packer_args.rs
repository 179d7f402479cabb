//! Packer's command line: Go's `flag` package takes `-var`, `--var`, `-var=…`; clap knows only the second and the third
//! with two dashes. The verbs that Packer has too (`build`, `validate`, `inspect`) accept both.

use std::ffi::OsString;

/// The verbs that take Packer's options.
const VERBS: [&str; 3] = ["build", "validate", "inspect"];

/// Options that are followed by a value.
const VALUED: [&str; 6] = ["except", "on-error", "only", "parallel-builds", "var", "var-file"];

/// Options that stand alone, or have `=true` or `=false` behind them.
const SWITCHES: [&str; 5] = ["debug", "force", "machine-readable", "syntax-only", "timestamp-ui"];

/// The switch that is on by itself, so that its value counts.
const COLOR: &str = "color";

/// The command line with Packer's single-dash options given a second dash, where the verb is one that Packer has.
pub fn normalize(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args = args.into_iter();
    let mut normal: Vec<OsString> = args.by_ref().take(2).collect();
    if !is_packers(&normal) {
        normal.extend(args);
        return normal;
    }
    while let Some(arg) = args.next() {
        if arg == "--" {
            normal.push(arg);
            break;
        }
        match option(&arg) {
            Some(Found { name, .. }) if is_off(name) => {}
            Some(Found { name, valued }) => {
                let name = name.strip_suffix("=true").filter(|bare| SWITCHES.contains(bare)).unwrap_or(name);
                normal.push(OsString::from(format!("--{name}")));
                // A value may begin with a dash, or look like another option.
                if valued {
                    normal.extend(args.next());
                }
            }
            None => normal.push(arg),
        }
    }
    normal.extend(args);
    normal
}

/// Whether a command line is for a verb that Packer has, too.
pub fn is_packers(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|verb| VERBS.iter().any(|known| verb == known))
}

struct Found<'a> {
    /// The option without its dashes, with its `=value` if there is one.
    name: &'a str,
    /// Whether the next argument is its value.
    valued: bool,
}

/// Recognises one of Packer's options, by one dash or two.
fn option(arg: &OsString) -> Option<Found<'_>> {
    let text = arg.to_str()?;
    let name = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    let (bare, inline) = name.split_once('=').map_or((name, false), |(bare, _)| (bare, true));
    if VALUED.contains(&bare) {
        return Some(Found { name, valued: !inline });
    }
    (SWITCHES.contains(&bare) || bare == COLOR).then_some(Found { name, valued: false })
}

/// Whether it is a switch that is turned off, as all are that are not named.
fn is_off(name: &str) -> bool {
    name.strip_suffix("=false").is_some_and(|bare| SWITCHES.contains(&bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &[&str]) -> Vec<String> {
        let normal = normalize(line.iter().map(OsString::from));
        normal.into_iter().map(|arg| arg.into_string().expect("text")).collect()
    }

    #[test]
    fn packers_options_get_their_second_dash() {
        let cases: [(&[&str], &[&str]); 8] = [
            (
                &["drydock", "build", "-debug=false", "-force=true", "t"],
                &["drydock", "build", "--force", "t"],
            ),
            (
                &["drydock", "build", "-var", "a=b", "-var-file=x.json", "-force", "packer.json"],
                &["drydock", "build", "--var", "a=b", "--var-file=x.json", "--force", "packer.json"],
            ),
            (&["drydock", "build", "-color=false", "t"], &["drydock", "build", "--color=false", "t"]),
            (&["drydock", "validate", "--syntax-only", "t"], &["drydock", "validate", "--syntax-only", "t"]),
            // A value that looks like an option stays what it is.
            (&["drydock", "build", "-only", "-force"], &["drydock", "build", "--only", "-force"]),
            (&["drydock", "build", "--", "-force"], &["drydock", "build", "--", "-force"]),
            (&["drydock", "build", "-h", "-nonsense", "-"], &["drydock", "build", "-h", "-nonsense", "-"]),
            (&["drydock", "up", "-force"], &["drydock", "up", "-force"]),
        ];
        for (line, expected) in cases {
            assert_eq!(run(line), expected, "{line:?}");
        }
    }
}
