//! `[[time_zone]]`: which time the machine shows.

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::verdict::Findings;

/// The zone that local time must be of, by its name in the zone database.
#[derive(Debug)]
struct TimeZone {
    zone: String,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let zone: Option<String> = entry.required("zone");
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
    };
    if let Some(zone) = &zone
        && !zone.split('/').all(part)
    {
        entry.complain(Some("zone"), format!("\"{zone}\" is no name of a time zone, such as \"US/Eastern\""));
    }
    super::one(zone.map(|zone| TimeZone { zone }))
}

impl TimeZone {
    /// Digests of the zone in force and of the wanted one, then what the former is a link to. Zones have several names,
    /// and /etc/localtime may be a copy, so the content decides.
    fn question(&self) -> Question {
        let wanted = quote(&format!("/usr/share/zoneinfo/{}", self.zone));
        Question::new(format!(
            "digest() {{
    if [ ! -f \"$1\" ]; then echo missing; return; fi
    set -- $(sha256sum <\"$1\")
    echo \"$1\"
}}
digest /etc/localtime
digest {wanted}
readlink -f /etc/localtime
date +%Z"
        ))
    }
}

impl Expectation for TimeZone {
    fn subject(&self) -> String {
        self.zone.clone()
    }

    fn claim(&self) -> String {
        format!("the time zone is {}", self.zone)
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let text = answers.to(&self.question())?.success()?;
        let lines: Vec<&str> = text.lines().collect();
        let [in_force, wanted, link, abbreviation] = lines[..] else {
            return Err(Unknown(format!("the machine says \"{}\" of its time zone", text.trim())));
        };
        if wanted == "missing" {
            return Err(Unknown(format!("the machine's zone database has no {}", self.zone)));
        }
        let found = match link.strip_prefix("/usr/share/zoneinfo/") {
            Some(zone) => format!("{zone} ({abbreviation})"),
            None if in_force == "missing" => format!("no /etc/localtime ({abbreviation})"),
            None => format!("a zone of its own ({abbreviation})"),
        };
        let mut findings = Findings::default();
        findings.expect(in_force == wanted, &self.zone, found);
        Ok(findings)
    }
}
