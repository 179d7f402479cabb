//! `[[line]]`: what stands in a file.

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{AbsolutePath, Text};
use crate::verdict::Findings;

/// How many lines there must be that are like something.
#[derive(Debug)]
struct Line {
    file: AbsolutePath,
    text: Text,
    /// None: at least one.
    count: Option<usize>,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let file = entry.required("file");
    let text = Text::take(entry, "equals", Some("contains"), "matches");
    entry.demand_one(&["equals", "contains", "matches"]);
    let count: Option<usize> = entry.optional("count");
    let absent = entry.optional("absent").unwrap_or(false);
    if absent {
        entry.refuse(&["count"], "beside `absent`");
    }
    super::one(file.map(|file| Line { file, text, count: if absent { Some(0) } else { count } }))
}

impl Line {
    fn question(&self) -> Question {
        Question::new(format!("exec cat -- {}", quote(&self.file.0)))
    }

    fn expected(&self) -> String {
        let like = self.text.describe();
        match self.count {
            None => format!("a line {like}"),
            Some(0) => format!("no line {like}"),
            Some(1) => format!("exactly one line {like}"),
            Some(count) => format!("exactly {count} lines {like}"),
        }
    }
}

impl Expectation for Line {
    fn subject(&self) -> String {
        self.file.to_string()
    }

    fn claim(&self) -> String {
        format!("{} has {}", self.file, self.expected())
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let content = answers.to(&self.question())?.success()?;
        let found: Vec<usize> = content
            .lines()
            .zip(1..)
            .filter(|(line, _)| self.text.holds(line))
            .map(|(_, number)| number)
            .collect();
        let holds = match self.count {
            Some(count) => found.len() == count,
            None => !found.is_empty(),
        };
        let numbers = |lines: &[usize]| lines.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let told = match found.as_slice() {
            [] => format!("none among {}", count_of(content.lines().count())),
            [one] => format!("line {one}"),
            some if some.len() <= 5 => format!("lines {}", numbers(some)),
            many => format!("{} lines, the first being {}", many.len(), numbers(&many[..3])),
        };
        let mut findings = Findings::default();
        findings.expect(holds, self.expected(), told);
        Ok(findings)
    }
}

fn count_of(lines: usize) -> String {
    match lines {
        1 => "1 line".to_owned(),
        more => format!("{more} lines"),
    }
}
