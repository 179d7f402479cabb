//! Filters of `Describe…` operations: each has a name and values with wildcards, any of which may match, and
//! all filters must.
//!
//! An operation names its filters in a table of [`Field`]s; a field offers the values of a row one by one
//! to a test, so that filtering copies nothing.

use super::tags::Tags;

/// Asks whether a value is wanted.
pub type Test<'a> = &'a dyn Fn(&str) -> bool;

/// A filter of an operation on rows of type `T`: its name, and whether a row has a wanted value.
pub type Field<T> = (&'static str, fn(&T, Test<'_>) -> bool);

/// The filter that an operation does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The filter '{0}' is invalid")]
pub struct UnknownFilter(pub String);

/// The filters of one request, ready to be asked.
pub struct Selection<T: 'static> {
    tests: Vec<(Subject<T>, Vec<String>)>,
}

enum Subject<T: 'static> {
    Field(fn(&T, Test<'_>) -> bool),
    Tag(String, fn(&T) -> &Tags),
    TagKey(fn(&T) -> &Tags),
}

impl<T> Selection<T> {
    /// Looks the filters of a request up in the operation's table. `tags` makes `tag:KEY` and `tag-key`
    /// filters too.
    ///
    /// # Errors
    /// When the table does not have one of them.
    pub fn new<'a>(
        fields: &[Field<T>],
        tags: Option<fn(&T) -> &Tags>,
        filters: impl IntoIterator<Item = (&'a str, &'a [String])>,
    ) -> Result<Self, UnknownFilter> {
        let mut tests = Vec::new();
        for (name, values) in filters {
            let subject = if let Some((_, test)) = fields.iter().find(|(field, _)| *field == name) {
                Subject::Field(*test)
            } else {
                match (tags, name.strip_prefix("tag:")) {
                    (Some(tags), Some(key)) if !key.is_empty() => Subject::Tag(key.to_owned(), tags),
                    (Some(tags), None) if name == "tag-key" => Subject::TagKey(tags),
                    _ => return Err(UnknownFilter(name.to_owned())),
                }
            };
            tests.push((subject, values.to_vec()));
        }
        Ok(Self { tests })
    }

    /// Whether a row passes all filters.
    pub fn accepts(&self, row: &T) -> bool {
        self.tests.iter().all(|(subject, patterns)| {
            let wanted = |value: &str| patterns.iter().any(|pattern| matches(pattern, value));
            match subject {
                Subject::Field(test) => test(row, &wanted),
                Subject::Tag(key, tags) => tags(row).get(key).is_some_and(wanted),
                Subject::TagKey(tags) => tags(row).keys().any(wanted),
            }
        })
    }
}

/// Whether a value has a pattern's form: `*` stands for any characters, `?` for one, `\` takes the next
/// character as it is. Letters' cases differ, as on EC2.
pub fn matches(pattern: &str, value: &str) -> bool {
    if !pattern.contains(['*', '?', '\\']) {
        return pattern == value;
    }
    let pattern = parse(pattern);
    let value: Vec<char> = value.chars().collect();
    // Greedy with one point to come back to: the last `*`, which may take one character more each time.
    let (mut p, mut v) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while v < value.len() {
        match pattern.get(p) {
            Some(Part::Any) => {
                star = Some((p, v));
                p += 1;
                continue;
            }
            Some(Part::One) => {
                p += 1;
                v += 1;
                continue;
            }
            Some(Part::Is(c)) if *c == value[v] => {
                p += 1;
                v += 1;
                continue;
            }
            _ => {}
        }
        let Some((star_p, star_v)) = star else { return false };
        star = Some((star_p, star_v + 1));
        p = star_p + 1;
        v = star_v + 1;
    }
    pattern[p..].iter().all(|part| *part == Part::Any)
}

#[derive(PartialEq)]
enum Part {
    Any,
    One,
    Is(char),
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Is(chars.next().unwrap_or('\\')),
            c => Part::Is(c),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, value, expected) in [
            ("web", "web", true),
            ("web", "Web", false),
            ("", "", true),
            ("*", "", true),
            ("w*b", "web", true),
            ("w*b", "wb", true),
            ("w?b", "wb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*ab", "aab", true),
            ("*ab", "aabc", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("ecs-?.?", "ecs-1.2", true),
        ] {
            assert_eq!(matches(pattern, value), expected, "{pattern:?} on {value:?}");
        }
    }

    struct Row {
        name: &'static str,
        groups: Vec<&'static str>,
        tags: Tags,
    }

    const FIELDS: &[Field<Row>] =
        &[("name", |r, is| is(r.name)), ("group-id", |r, is| r.groups.iter().any(|g| is(g)))];

    fn selected(filters: &[(&str, &[&str])]) -> Result<Vec<&'static str>, UnknownFilter> {
        let row = |name, groups: &[&'static str], tags: &[(&str, &str)]| Row {
            name,
            groups: groups.to_vec(),
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        };
        let rows =
            [row("a", &["g1", "g2"], &[("Env", "dev")]), row("b", &[], &[("Env", "live"), ("Own", "")])];
        let filters: Vec<(&str, Vec<String>)> =
            filters.iter().map(|(n, v)| (*n, v.iter().map(|v| (*v).to_owned()).collect())).collect();
        let selection =
            Selection::new(FIELDS, Some(|r| &r.tags), filters.iter().map(|(n, v)| (*n, v.as_slice())))?;
        Ok(rows.iter().filter(|row| selection.accepts(row)).map(|row| row.name).collect())
    }

    #[test]
    fn all_filters_and_any_value() {
        assert_eq!(selected(&[]).unwrap(), ["a", "b"]);
        assert_eq!(selected(&[("name", &["a", "b"])]).unwrap(), ["a", "b"]);
        assert_eq!(selected(&[("name", &["a", "b"]), ("group-id", &["g2"])]).unwrap(), ["a"]);
        assert_eq!(selected(&[("tag:Env", &["l*"])]).unwrap(), ["b"]);
        assert_eq!(selected(&[("tag-key", &["Own"])]).unwrap(), ["b"]);
        assert!(selected(&[("name", &[])]).unwrap().is_empty());
    }

    #[test]
    fn an_unknown_filter_is_refused_even_where_nothing_is_stored() {
        let error = selected(&[("colour", &["red"])]).unwrap_err();
        assert_eq!(error.to_string(), "The filter 'colour' is invalid");
        assert!(selected(&[("tag:", &["x"])]).is_err());
    }
}
