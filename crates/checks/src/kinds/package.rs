//! `[[package]]`: what dpkg or rpm has installed.

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{Format, Name, Requirement, Several};
use crate::verdict::Findings;

/// A package that must be installed, or not.
#[derive(Debug)]
struct Package {
    name: Name,
    installed: bool,
    version: Option<Requirement>,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let names: Option<Several<Name>> = entry.required("package");
    let installed = entry.optional("installed").unwrap_or(true);
    let version: Option<Requirement> = entry.optional("version");
    if !installed {
        entry.refuse(&["version"], "about a package that is not installed");
    }
    super::each(names, |name| Package { name, installed, version: version.clone() })
}

impl Package {
    /// Asks the package managers that there are, until one has it: `asked MANAGER`, then `dpkg STATUS|VERSION` or
    /// `rpm VERSION-RELEASE`. RPM says that a package is not installed on standard output.
    fn question(&self) -> Question {
        let name = quote(&self.name.0);
        Question::new(format!(
            "if command -v dpkg-query >/dev/null 2>&1; then
    echo 'asked dpkg'
    found=$(dpkg-query -W -f='dpkg ${{Status}}|${{Version}}\n' -- {name} 2>/dev/null)
    printf '%s\n' \"$found\"
    case $found in *' installed|'*) exit 0 ;; esac
fi
if command -v rpm >/dev/null 2>&1; then
    echo 'asked rpm'
    rpm -q --queryformat 'rpm %{{EPOCH}}:%{{VERSION}}-%{{RELEASE}}\n' {name} 2>&1
fi
exit 0"
        ))
    }
}

/// An installed package.
#[derive(Debug, PartialEq, Eq)]
struct Installed<'a> {
    format: Format,
    version: &'a str,
}

/// What the package managers said: what is installed, if it is.
fn installed(text: &str) -> Result<Option<Installed<'_>>, Unknown> {
    let mut asked = false;
    let mut found = None;
    for line in text.lines() {
        if line.starts_with("asked ") {
            asked = true;
        } else if let Some(line) = line.strip_prefix("dpkg ") {
            // "install ok installed", "hold ok installed"; "deinstall ok config-files" is gone.
            let (status, version) = line.split_once('|').unwrap_or((line, ""));
            if status.ends_with(" installed") {
                found.get_or_insert(Installed { format: Format::Dpkg, version });
            }
        } else if let Some(version) = line.strip_prefix("rpm ") {
            let version = version.strip_prefix("(none):").unwrap_or(version);
            found.get_or_insert(Installed { format: Format::Rpm, version });
        } else if !line.is_empty() && !line.ends_with("is not installed") {
            return Err(Unknown(format!("rpm says \"{line}\"")));
        }
    }
    if asked { Ok(found) } else { Err(Unknown("the machine has neither dpkg nor rpm".to_owned())) }
}

impl Expectation for Package {
    fn subject(&self) -> String {
        self.name.to_string()
    }

    fn claim(&self) -> String {
        match (&self.version, self.installed) {
            (Some(version), _) => format!("package {} is installed, version {version}", self.name),
            (None, true) => format!("package {} is installed", self.name),
            (None, false) => format!("package {} is not installed", self.name),
        }
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let text = answers.to(&self.question())?.success()?;
        let mut findings = Findings::default();
        match (installed(text)?, self.installed) {
            (None, wanted) => findings.expect(!wanted, "the package", "none"),
            (Some(found), false) => {
                findings.expect(
                    false,
                    "no such package",
                    format!("version {} ({})", found.version, found.format.name()),
                );
            }
            (Some(found), true) => {
                let told = format!("version {} ({})", found.version, found.format.name());
                match &self.version {
                    Some(wanted) => {
                        findings.expect(
                            wanted.holds(found.format, found.version),
                            format!("version {wanted}"),
                            told,
                        );
                    }
                    None => findings.note(told),
                }
            }
        }
        Ok(findings)
    }
}
