//! `proxy.conf`: variables that the launcher of Amazon's agent reads as shell. No shell is run here: a line is an
//! assignment with a plain or quoted value, or it is refused.

use super::problem::Problems;
use crate::aws::proxy::ProxySettings;
use std::collections::BTreeMap;
use template_text::suggest::did_you_mean;

const NAMES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

/// Reads the file.
pub fn read(text: &str, problems: &mut Problems) -> ProxySettings {
    let mut variables = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let assignment = line.strip_prefix("export ").unwrap_or(line).trim_start();
        match assignment.split_once('=').map(|(name, rest)| (name, unquoted(rest))) {
            Some((name, Some(value))) if NAMES.contains(&name) => {
                // As in a shell, the last assignment counts.
                variables.insert(name.to_owned(), value);
            }
            Some((name, Some(_))) if is_name(name) => {
                let advice = did_you_mean(name, NAMES).unwrap_or_else(|| "it has no effect".to_owned());
                problems.warn(number, format!("{name} is not a proxy's variable"), advice);
            }
            _ => {
                let what = format!("{line:?} is not NAME=VALUE");
                problems.fail(
                    number,
                    what,
                    "write the value itself, in quotes if need be: no shell reads this",
                );
            }
        }
    }
    ProxySettings::from_variables(|name| variables.get(name).cloned())
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The value of `a`, `"a"` or `'a'`, after which a comment may stand; none where a shell would do more than read it.
fn unquoted(text: &str) -> Option<String> {
    let (value, rest) = match text.chars().next() {
        Some(quote @ ('"' | '\'')) => text[1..].split_once(quote)?,
        _ => text.split_at(text.find(char::is_whitespace).unwrap_or(text.len())),
    };
    let literal = text.starts_with('\'');
    let rest = rest.trim_start();
    let plain = literal || !value.contains(['$', '`', '\\', '"', '\'']);
    let bare = literal || text.starts_with('"') || !value.contains([';', '&', '|', '<', '>', '(', ')']);
    (plain && bare && (rest.is_empty() || rest.starts_with('#'))).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (ProxySettings, Vec<String>) {
        let mut problems = Problems::default();
        let settings = read(text, &mut problems);
        (settings, problems.into_vec().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn assignments_are_read_as_a_shell_reads_them() {
        let cases = [
            ("HTTPS_PROXY=http://p:3128", Some("http://p:3128")),
            ("export HTTPS_PROXY=http://p:3128  # the proxy", Some("http://p:3128")),
            ("HTTPS_PROXY=\"http://p:3128\"", Some("http://p:3128")),
            ("HTTPS_PROXY='http://u:p$@p:3128'", Some("http://u:p$@p:3128")),
            ("https_proxy=http://p:1", Some("http://p:1")),
            ("HTTPS_PROXY=http://a:1\nHTTPS_PROXY=http://b:2", Some("http://b:2")),
            ("# HTTPS_PROXY=http://p:3128", None),
            ("HTTPS_PROXY=", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let (settings, problems) = file(text);
            assert_eq!(problems, [""; 0], "{text}");
            assert_eq!(settings.https.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn what_a_shell_would_run_is_refused() {
        for text in [
            "HTTPS_PROXY=$(cat /etc/proxy)",
            "HTTPS_PROXY=`id`",
            "HTTPS_PROXY=\"$PROXY\"",
            "HTTPS_PROXY=http://p:1; rm -rf /",
            "HTTPS_PROXY=http://p:1 command",
            "HTTPS_PROXY=\"open",
            ". /etc/other",
        ] {
            let (settings, problems) = file(text);
            assert_eq!(settings, ProxySettings::default(), "{text}");
            assert!(problems[0].starts_with(":1: error: "), "{text}: {problems:?}");
        }
        assert!(file("HTTP_PROXI=x").1[0].contains("did you mean 'HTTP_PROXY'?"));
    }
}
