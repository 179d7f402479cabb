//! The language of `awslogs.conf` and `awscli.conf`: that of Python 3's `RawConfigParser`, whose values mean what they
//! say (no `%` interpolation, comments only on lines of their own).

use super::problem::Problems;

/// The section whose options all others have, too.
const DEFAULTS: &str = "DEFAULT";

/// A file's sections in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// The sections, but for `[DEFAULT]`.
    pub sections: Vec<Section>,
    /// What `[DEFAULT]` holds.
    pub defaults: Vec<Entry>,
}

/// A section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// The line of its header.
    pub line: usize,
    /// Its options in their order.
    pub entries: Vec<Entry>,
}

/// An option with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in small letters.
    pub name: String,
    /// The line that it begins on.
    pub line: usize,
    /// Its value; continuation lines are joined by line feeds.
    pub value: String,
}

impl Document {
    /// The section called `name`.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The option `name` of `section`, or its default.
    pub fn get<'a>(&'a self, section: &'a Section, name: &str) -> Option<&'a Entry> {
        section.entries.iter().chain(&self.defaults).find(|entry| entry.name == name)
    }
}

/// Reads a file. What cannot be understood is a fatal problem, as it is to Python.
pub fn parse(text: &str, problems: &mut Problems) -> Document {
    let mut parser =
        Parser { problems, document: Document::default(), place: Place::Nowhere, indent: 0, open: false };
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        parser.line(number + 1, line);
    }
    let mut document = parser.document;
    let all =
        document.sections.iter_mut().flat_map(|section| &mut section.entries).chain(&mut document.defaults);
    for entry in all {
        entry.value.truncate(entry.value.trim_end().len());
    }
    document
}

struct Parser<'p> {
    problems: &'p mut Problems,
    document: Document,
    place: Place,
    /// How far the last header or option was indented.
    indent: usize,
    /// Whether an option may be continued.
    open: bool,
}

/// Where options go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Defaults,
    Last,
    /// A section that stands twice: its options are read only for what is wrong with them.
    Away,
}

impl Parser<'_> {
    fn line(&mut self, number: usize, line: &str) {
        let text = line.trim();
        if text.starts_with(['#', ';']) {
            return;
        }
        if text.is_empty() {
            self.continue_with("");
            return;
        }
        let indent = line.len() - line.trim_start().len();
        if self.open && indent > self.indent {
            self.continue_with(text);
            return;
        }
        self.indent = indent;
        match header(text) {
            Some(name) => self.section(number, name),
            None => self.option(number, text),
        }
    }

    fn entries(&mut self) -> Option<&mut Vec<Entry>> {
        match self.place {
            Place::Defaults => Some(&mut self.document.defaults),
            Place::Last => self.document.sections.last_mut().map(|section| &mut section.entries),
            Place::Nowhere | Place::Away => None,
        }
    }

    fn continue_with(&mut self, text: &str) {
        if !self.open {
            return;
        }
        if let Some(last) = self.entries().and_then(|entries| entries.last_mut()) {
            last.value.push('\n');
            last.value.push_str(text);
        }
    }

    fn section(&mut self, line: usize, name: &str) {
        self.open = false;
        if name == DEFAULTS {
            self.place = Place::Defaults;
        } else if let Some(first) = self.document.section(name) {
            let what = format!("the section [{name}] stands twice; the first is in line {}", first.line);
            self.problems.fail(line, what, "join them, or give one another name");
            self.place = Place::Away;
        } else {
            self.document.sections.push(Section { name: name.to_owned(), line, entries: Vec::new() });
            self.place = Place::Last;
        }
    }

    fn option(&mut self, line: usize, text: &str) {
        if self.place == Place::Nowhere {
            self.problems.fail(line, "an option stands before the first section", "write [general] above it");
            self.place = Place::Away;
            return;
        }
        let Some((name, value)) = text.split_once(['=', ':']).filter(|(name, _)| !name.trim().is_empty())
        else {
            let what = format!("{text:?} is neither a [section] nor an option with its value");
            self.problems.fail(line, what, "write NAME = VALUE; a line that continues a value is indented");
            return;
        };
        let entry = Entry { name: name.trim().to_lowercase(), line, value: value.trim().to_owned() };
        let known = self.entries().and_then(|entries| entries.iter().find(|known| known.name == entry.name));
        if let Some(first) = known.map(|known| known.line) {
            let what = format!("{} stands twice in its section; the first is in line {first}", entry.name);
            self.problems.fail(line, what, "remove one");
            return;
        }
        if let Some(entries) = self.entries() {
            entries.push(entry);
            self.open = true;
        }
    }
}

/// The name in `[name]`; what follows it is not looked at.
fn header(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('[')?.rsplit_once(']')?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn read(text: &str) -> (Document, Vec<String>) {
        let mut problems = Problems::default();
        let document = parse(text, &mut problems);
        (document, problems.into_vec().iter().map(|problem| format!("{problem}")).collect())
    }

    fn value(text: &str, name: &str) -> Option<String> {
        let (document, problems) = read(text);
        assert_eq!(problems, [""; 0], "{text}");
        document.get(&document.sections[0], name).map(|entry| entry.value.clone())
    }

    #[test]
    fn values_are_read_as_python_reads_them() {
        let cases = [
            ("[s]\na = 1", "1"),
            ("[s]\nA: 1", "1"),
            ("[s]\na=b = c", "b = c"),
            ("[s]\na = x ; y # z", "x ; y # z"),
            ("[s]\na = %Y-%m-%d", "%Y-%m-%d"),
            ("[s]\na =\n", ""),
            ("[s]\na = 1\n  2\n\n  3\n\n", "1\n2\n\n3"),
            ("[s]\na = 1\n  # comment\n  2", "1\n2"),
            ("[s]\n  a = 1\n  b = 2", "1"),
            ("[DEFAULT]\na = 1\n[s]\nb = 2", "1"),
            ("[DEFAULT]\na = 1\n[s]\na = 2", "2"),
            ("[s] trailing\na = 1", "1"),
            ("\u{feff}[s]\na = 1", "1"),
        ];
        for (text, expected) in cases {
            assert_eq!(value(text, "a").as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn a_section_may_have_brackets_in_its_name() {
        assert_eq!(read("[a]b]\nx = 1").0.sections[0].name, "a]b");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_with_its_line() {
        let (_, problems) = read("x = 1\n[a]\nnonsense\ny = 1\nY = 2\n[a]\n= 3\n");
        let lines: Vec<&str> = problems.iter().map(|problem| &problem[..3]).collect();
        assert_eq!(lines, [":1:", ":3:", ":5:", ":6:", ":7:"], "{problems:#?}");
        assert!(problems[2].contains("y stands twice in its section; the first is in line 4"));
    }

    /// What Python itself made of the same files (ini_cases.py).
    #[test]
    fn python_reads_the_same() {
        #[derive(serde::Deserialize)]
        struct Case {
            text: String,
            sections: Option<BTreeMap<String, BTreeMap<String, String>>>,
        }
        let cases: Vec<Case> = serde_json::from_str(include_str!("ini_cases.json")).unwrap();
        for case in cases {
            let (document, problems) = read(&case.text);
            let Some(expected) = case.sections else {
                assert!(!problems.is_empty(), "{:?}", case.text);
                continue;
            };
            assert_eq!(problems, [""; 0], "{:?}", case.text);
            let options = |section: &Section| {
                let own = document.defaults.iter().chain(&section.entries);
                own.map(|entry| (entry.name.clone(), entry.value.clone())).collect()
            };
            let found: BTreeMap<String, BTreeMap<String, String>> =
                document.sections.iter().map(|section| (section.name.clone(), options(section))).collect();
            assert_eq!(found, expected, "{:?}", case.text);
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "(\\[?[a-zA-Z]{0,3}\\]?[ =:#;\t]{0,3}\\PC{0,4}\n){0,12}") {
            let (document, problems) = read(&text);
            for section in &document.sections {
                prop_assert!(section.line <= text.lines().count());
            }
            for problem in problems {
                prop_assert!(problem.contains(": error: "), "{problem}");
            }
        }
    }
}
