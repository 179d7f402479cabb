//! A whole file of checks.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::answer::Answers;
use crate::check::{Check, Common};
use crate::entry::Entry;
use crate::error::{CheckErrors, Fault, in_file};
use crate::kinds::{self, Kind};
use crate::probe::{LONGEST, Probe};
use crate::suggest::nearest;
use crate::verdict::Verdict;

/// A file of checks that was read and found good. It has at least one check that is not skipped.
#[derive(Debug)]
pub struct Checks(Vec<Check>);

impl Checks {
    /// Reads a file's text; `file` is how messages call it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(file: &str, text: &str) -> Result<Self, CheckErrors> {
        read(text).map(Self).map_err(|faults| in_file(file, text, faults))
    }

    /// The checks, in the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Check> {
        self.0.iter()
    }

    /// What to ask a machine for all checks.
    pub fn probe(&self) -> Probe {
        Probe::new(self.0.iter())
    }

    /// What became of each check, by the answers.
    pub fn judge(&self, answers: &Answers) -> Vec<Verdict> {
        self.0.iter().map(|check| check.judge(answers)).collect()
    }
}

fn read(text: &str) -> Result<Vec<Check>, Vec<Fault>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let fault =
            |error: toml::de::Error| Fault::new(error.span().map_or(0, |span| span.start), error.message());
        return Err(errors.into_iter().map(fault).collect());
    }
    let mut faults = Vec::new();
    let mut checks = Vec::new();
    for (name, value) in document.into_inner() {
        match Kind::named(name.get_ref()) {
            Some(kind) => tables(kind, value, &mut checks, &mut faults),
            None => faults.push(unknown_kind(&name)),
        }
    }
    // A map is sorted by name; the file's order is the author's.
    checks.sort_by_key(|(at, _)| *at);
    let checks: Vec<Check> = checks.into_iter().flat_map(|(_, checks)| checks).collect();
    if faults.is_empty() && checks.iter().all(|check| check.skipped.is_some()) {
        let what = if checks.is_empty() { "there is no check" } else { "every check is skipped" };
        faults.push(Fault::new(0, format!("{what}: nothing would be verified")));
    }
    if faults.is_empty() { Ok(checks) } else { Err(faults) }
}

/// Reads the tables of one kind: `[[kind]]`, or `[kind]` for a single one.
fn tables<'i>(
    kind: &'static Kind,
    value: Spanned<DeValue<'i>>,
    checks: &mut Vec<(usize, Vec<Check>)>,
    faults: &mut Vec<Fault>,
) {
    let at = value.span().start;
    match value.into_inner() {
        DeValue::Table(table) => {
            faults.extend(table_of(kind, at, table, checks));
        }
        DeValue::Array(items) => {
            for item in items {
                tables(kind, item, checks, faults);
            }
        }
        other => faults.push(
            Fault::new(at, format!("`{}` must be a table, not this {}", kind.name, other.type_str()))
                .help(Some(format!("write each as a table that begins with [[{}]]", kind.name))),
        ),
    }
}

fn table_of<'i>(
    kind: &'static Kind,
    at: usize,
    table: DeTable<'i>,
    checks: &mut Vec<(usize, Vec<Check>)>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (_, value) in &table {
        find_nul(value, &mut faults);
    }
    let mut entry = Entry::new(kind.name, at, table);
    let expectations = (kind.read)(&mut entry);
    let mut questions = expectations.iter().flat_map(|expectation| expectation.questions());
    if questions.any(|question| question.length() > LONGEST) {
        entry.complain(
            None,
            "this is too long to be asked in one command line; put it into a file of the image",
        );
    }
    let common = Common::take(&mut entry);
    faults.extend(entry.finish());
    checks.push((at, common.checks(kind.name, expectations)));
    faults
}

/// No shell word can hold a NUL.
fn find_nul(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) {
    match value.get_ref() {
        DeValue::String(text) if text.contains('\0') => {
            faults.push(Fault::new(value.span().start, "a NUL character cannot be checked for"));
        }
        DeValue::Array(items) => items.iter().for_each(|item| find_nul(item, faults)),
        _ => {}
    }
}

fn unknown_kind(name: &Spanned<toml::de::DeString<'_>>) -> Fault {
    let names = kinds::ALL.iter().map(|kind| kind.name);
    let help = match nearest(name.get_ref(), names.clone()) {
        Some(near) => format!("did you mean [[{near}]]?"),
        None => format!("known are {}", names.collect::<Vec<_>>().join(", ")),
    };
    let message = format!("unknown kind of check `{}`", name.get_ref().escape_debug());
    Fault::new(name.span().start, message).help(Some(help))
}
