//! `[[kernel_parameter]]`: what `sysctl` shows.

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{Text, excerpt};
use crate::verdict::Findings;

/// What a kernel parameter must be.
#[derive(Debug)]
struct KernelParameter {
    name: String,
    value: Text,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let name: Option<String> = entry.required("parameter");
    let value = Text::take(entry, "value", None, "matches");
    entry.demand_one(&["value", "matches"]);
    let good = |name: &String| {
        name.split(['.', '/']).all(|part| !part.is_empty())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-/@:".contains(c))
    };
    if let Some(name) = name.as_ref().filter(|name| !good(name)) {
        entry.complain(
            Some("parameter"),
            format!("\"{name}\" is no parameter such as \"net.ipv4.ip_forward\""),
        );
    }
    super::one(name.map(|name| KernelParameter { name, value }))
}

impl KernelParameter {
    /// sysctl's own rule: whichever of `.` and `/` comes first separates; the other is then part of a name
    /// (`net.ipv4.conf.eth0/1.forwarding` is interface `eth0.1`).
    fn path(&self) -> String {
        let first = self.name.find(['.', '/']).and_then(|at| self.name[at..].chars().next());
        let swap = |c: char| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        let path: String =
            if first == Some('.') { self.name.chars().map(swap).collect() } else { self.name.clone() };
        format!("/proc/sys/{path}")
    }

    fn question(&self) -> Question {
        Question::new(format!("exec cat -- {}", quote(&self.path())))
    }
}

impl Expectation for KernelParameter {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn claim(&self) -> String {
        format!("kernel parameter {} is {}", self.name, self.value.describe_alone())
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let text = answers.to(&self.question())?.success()?;
        // Lists are set apart by tabs, which nobody types.
        let value = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut findings = Findings::default();
        findings.expect(self.value.holds(&value), self.value.describe_alone(), excerpt(&value));
        Ok(findings)
    }
}
