//! `[[environment]]`: variables that a login finds.

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{Name, Text, excerpt};
use crate::verdict::Findings;

/// What a variable must be in the environment of a user's login shell.
#[derive(Debug)]
struct Environment {
    variable: String,
    user: Name,
    set: bool,
    value: Text,
}

/// Sets the answer apart from what login scripts print.
const MARK: &str = "drydock-environment";

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let variable: Option<String> = entry.required("variable");
    let user = entry.optional("user").unwrap_or_else(|| Name("root".to_owned()));
    let set = entry.optional("set").unwrap_or(true);
    let value = Text::take(entry, "value", None, "matches");
    if !set {
        entry.refuse(&["value", "matches"], "about a variable that is not set");
    }
    let good = |name: &String| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = variable.as_ref().filter(|name| !good(name)) {
        entry.complain(Some("variable"), format!("\"{name}\" is no name of a variable"));
    }
    super::one(variable.map(|variable| Environment { variable, user, set, value }))
}

impl Environment {
    fn question(&self) -> Question {
        let command = format!("echo; echo {MARK}; printenv {}; exit 0", self.variable);
        Question::new(format!("exec su -c {} - {}", quote(&command), quote(&self.user.0)))
    }
}

impl Expectation for Environment {
    fn subject(&self) -> String {
        self.variable.clone()
    }

    fn claim(&self) -> String {
        let what = match (self.set, self.value.is_empty()) {
            (false, _) => "not set".to_owned(),
            (true, true) => "set".to_owned(),
            (true, false) => self.value.describe_alone(),
        };
        format!("variable {} of {} is {what}", self.variable, self.user)
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let answer = answers.to(&self.question())?.complete()?;
        let mark = format!("\n{MARK}\n");
        let Some((_, value)) = answer.stdout.rsplit_once(&mark) else { return Err(answer.failure()) };
        // printenv prints a newline after the value, and nothing when there is none.
        let value = value.strip_suffix('\n');
        let told = value.map_or("no value".to_owned(), excerpt);
        let mut findings = Findings::default();
        match (value, self.set) {
            (value, false) => findings.expect(value.is_none(), "no value", told),
            (None, true) => findings.expect(false, "a value", told),
            (Some(value), true) => {
                findings.expect(self.value.holds(value), self.value.describe_alone(), told)
            }
        }
        Ok(findings)
    }
}
