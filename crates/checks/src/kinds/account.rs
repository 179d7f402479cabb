//! `[[user]]` and `[[group]]`: accounts, wherever the machine's name service has them from.

use crate::answer::{Answer, Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{Name, Several};
use crate::verdict::Findings;

/// A user that must exist, or not.
#[derive(Debug)]
struct User {
    name: Name,
    exists: bool,
    uid: Option<u32>,
    gid: Option<u32>,
    groups: Vec<Name>,
    home: Option<String>,
    shell: Option<String>,
}

/// A group that must exist, or not.
#[derive(Debug)]
struct Group {
    name: Name,
    exists: bool,
    gid: Option<u32>,
    members: Vec<Name>,
}

pub(super) fn read_user(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let name = entry.required("user");
    let exists = entry.optional("exists").unwrap_or(true);
    let uid = entry.optional("uid");
    let gid = entry.optional("gid");
    let groups = entry.optional::<Several<Name>>("groups").map(|groups| groups.0).unwrap_or_default();
    let home = entry.optional("home");
    let shell = entry.optional("shell");
    if !exists {
        entry.refuse(&["uid", "gid", "groups", "home", "shell"], "about a user that does not exist");
    }
    super::one(name.map(|name| User { name, exists, uid, gid, groups, home, shell }))
}

pub(super) fn read_group(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let name = entry.required("group");
    let exists = entry.optional("exists").unwrap_or(true);
    let gid = entry.optional("gid");
    let members = entry.optional::<Several<Name>>("members").map(|members| members.0).unwrap_or_default();
    if !exists {
        entry.refuse(&["gid", "members"], "about a group that does not exist");
    }
    super::one(name.map(|name| Group { name, exists, gid, members }))
}

fn entry_question(database: &str, name: &Name) -> Question {
    Question::new(format!("exec getent {database} {}", quote(&name.0)))
}

/// The fields of an entry of the account databases; none when getent says, by exit code 2, that there is none.
fn fields<const N: usize>(answer: &Answer) -> Result<Option<[&str; N]>, Unknown> {
    let line = match answer.complete()?.exit {
        0 => answer.stdout.lines().next().unwrap_or_default(),
        2 => return Ok(None),
        _ => return Err(answer.failure()),
    };
    let fields: Vec<&str> = line.split(':').collect();
    fields.try_into().map(Some).map_err(|_| Unknown(format!("getent says \"{line}\"")))
}

/// Compares numbers as text, so that nothing that getent says can fail to be one.
fn expect_number(findings: &mut Findings, label: &str, wanted: Option<u32>, found: &str) {
    match wanted {
        Some(wanted) => {
            findings.expect(
                wanted.to_string() == found,
                format!("{label} {wanted}"),
                format!("{label} {found}"),
            );
        }
        None => findings.note(format!("{label} {found}")),
    }
}

fn expect_text(findings: &mut Findings, label: &str, wanted: Option<&str>, found: &str) {
    if let Some(wanted) = wanted {
        findings.expect(wanted == found, format!("{label} {wanted}"), format!("{label} {found}"));
    }
}

/// Each wanted name must be in the list.
fn expect_names(findings: &mut Findings, label: &str, wanted: &[Name], found: &[&str]) {
    let missing: Vec<&str> =
        wanted.iter().map(|name| name.0.as_str()).filter(|name| !found.contains(name)).collect();
    if wanted.is_empty() {
        return;
    }
    let told = if found.is_empty() { format!("no {label}") } else { format!("{label} {}", found.join(", ")) };
    findings.expect(missing.is_empty(), format!("{label} with {}", missing.join(", ")), told);
}

impl User {
    fn groups_question(&self) -> Question {
        Question::new(format!("exec id -Gn {}", quote(&self.name.0)))
    }
}

impl Expectation for User {
    fn subject(&self) -> String {
        self.name.to_string()
    }

    fn claim(&self) -> String {
        let there = if self.exists { "exists" } else { "does not exist" };
        format!("user {} {there}", self.name)
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![entry_question("passwd", &self.name)];
        if !self.groups.is_empty() {
            questions.push(self.groups_question());
        }
        questions
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let entry = fields::<7>(answers.to(&entry_question("passwd", &self.name))?)?;
        let mut findings = Findings::default();
        let Some([_, _, uid, gid, _, home, shell]) = entry else {
            findings.expect(!self.exists, "such a user", "none");
            return Ok(findings);
        };
        if !self.exists {
            return Ok(Findings::failed("no such user", format!("one with uid {uid}")));
        }
        expect_number(&mut findings, "uid", self.uid, uid);
        expect_number(&mut findings, "gid", self.gid, gid);
        expect_text(&mut findings, "home", self.home.as_deref(), home);
        expect_text(&mut findings, "shell", self.shell.as_deref(), shell);
        if !self.groups.is_empty() {
            let groups = answers.to(&self.groups_question())?.success()?;
            expect_names(
                &mut findings,
                "groups",
                &self.groups,
                &groups.split_whitespace().collect::<Vec<_>>(),
            );
        }
        Ok(findings)
    }
}

impl Expectation for Group {
    fn subject(&self) -> String {
        self.name.to_string()
    }

    fn claim(&self) -> String {
        let there = if self.exists { "exists" } else { "does not exist" };
        format!("group {} {there}", self.name)
    }

    fn questions(&self) -> Vec<Question> {
        vec![entry_question("group", &self.name)]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let entry = fields::<4>(answers.to(&entry_question("group", &self.name))?)?;
        let mut findings = Findings::default();
        let Some([_, _, gid, members]) = entry else {
            findings.expect(!self.exists, "such a group", "none");
            return Ok(findings);
        };
        if !self.exists {
            return Ok(Findings::failed("no such group", format!("one with gid {gid}")));
        }
        expect_number(&mut findings, "gid", self.gid, gid);
        let members: Vec<&str> = members.split(',').filter(|member| !member.is_empty()).collect();
        expect_names(&mut findings, "members", &self.members, &members);
        Ok(findings)
    }
}
