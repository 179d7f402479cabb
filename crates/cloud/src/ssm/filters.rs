//! Which parameters a listing wants. Pure.

use aws_wire::Error;
use aws_wire::ssm::{ParameterStringFilter, ParametersFilter};

use super::names::lies_under;
use super::state::ParameterRecord;

/// What all must be true of a parameter.
#[derive(Debug, Default)]
pub struct Filters(Vec<Filter>);

#[derive(Debug)]
struct Filter {
    key: Key,
    option: Match,
    values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    DataType,
    /// `KeyId`
    Encryption,
    Label,
    Name,
    Path,
    Tag(String),
    Tier,
    Type,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    BeginsWith,
    Contains,
    Equals,
    OneLevel,
    Recursive,
}

impl Filters {
    /// The keys by which `DescribeParameters` filters; `tag:…` too.
    pub const OF_ALL: &[&str] = &["DataType", "KeyId", "Name", "Path", "Tier", "Type"];
    /// The keys by which `GetParametersByPath` filters.
    pub const OF_PATHS: &[&str] = &["KeyId", "Label", "Type"];

    /// Reads a request's filters, of which only some keys are allowed.
    ///
    /// # Errors
    /// When a filter is not allowed or not understood.
    pub fn read(given: Vec<ParameterStringFilter>, keys: &[&str]) -> Result<Self, Error> {
        given.into_iter().map(|filter| read(filter, keys)).collect::<Result<_, _>>().map(Self)
    }

    /// Reads filters in the old form, whose names are beginnings.
    ///
    /// # Errors
    /// When a filter is not understood.
    pub fn read_old(given: Vec<ParametersFilter>) -> Result<Self, Error> {
        let new = given.into_iter().map(|filter| {
            let option = if filter.key.as_deref() == Some("Name") { "BeginsWith" } else { "Equals" };
            ParameterStringFilter { key: filter.key, option: Some(option.to_owned()), values: filter.values }
        });
        Self::read(new.collect(), Self::OF_ALL)
    }

    /// Whether everything is wanted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a parameter is wanted.
    pub fn accept(&self, record: &ParameterRecord) -> bool {
        self.0.iter().all(|filter| filter.accepts(record))
    }
}

fn read(given: ParameterStringFilter, keys: &[&str]) -> Result<Filter, Error> {
    let name = given.key.unwrap_or_default();
    let key = match name.as_str() {
        "DataType" => Key::DataType,
        "KeyId" => Key::Encryption,
        "Label" => Key::Label,
        "Name" => Key::Name,
        "Path" => Key::Path,
        "Tier" => Key::Tier,
        "Type" => Key::Type,
        other => match other.strip_prefix("tag:") {
            Some(tag) if keys.contains(&"Name") => Key::Tag(tag.to_owned()),
            _ => return Err(bad_key(&name)),
        },
    };
    if !keys.contains(&name.as_str()) && !matches!(key, Key::Tag(_)) {
        return Err(bad_key(&name));
    }
    let option = match (given.option.as_deref(), &key) {
        (None, Key::Path) | (Some("OneLevel"), Key::Path) => Match::OneLevel,
        (Some("Recursive"), Key::Path) => Match::Recursive,
        (None | Some("Equals"), key) if *key != Key::Path => Match::Equals,
        (Some("BeginsWith"), key) if *key != Key::Path => Match::BeginsWith,
        (Some("Contains"), Key::Name) => Match::Contains,
        (option, _) => {
            let message =
                format!("The filter option {} is not valid for the key {name}.", option.unwrap_or("(none)"));
            return Err(Error::client("InvalidFilterOption", message));
        }
    };
    // A tag without a value is asked for by its key alone.
    if given.values.is_empty() && !matches!(key, Key::Tag(_)) {
        return Err(Error::client("InvalidFilterValue", format!("The filter {name} has no values.")));
    }
    Ok(Filter { key, option, values: given.values })
}

fn bad_key(name: &str) -> Error {
    Error::client("InvalidFilterKey", format!("The filter key {name} is not valid here."))
}

impl Filter {
    fn accepts(&self, record: &ParameterRecord) -> bool {
        let version = &record.latest;
        let value = match &self.key {
            Key::DataType => Some(version.data_type.as_str()),
            Key::Name | Key::Path => Some(record.id.as_str()),
            Key::Tag(tag) => record.tags.get(tag),
            Key::Tier => Some(version.tier.as_str()),
            Key::Type => Some(version.kind.as_str()),
            // Neither secrets nor labels are in this cloud.
            Key::Encryption | Key::Label => None,
        };
        let Some(value) = value else { return false };
        let by_key_alone = self.values.is_empty();
        by_key_alone || self.values.iter().any(|wanted| self.matches(value, wanted))
    }

    fn matches(&self, value: &str, wanted: &str) -> bool {
        match self.option {
            Match::BeginsWith => value.starts_with(wanted),
            Match::Contains => value.contains(wanted),
            Match::Equals => value == wanted,
            Match::OneLevel => lies_under(value, wanted, false),
            Match::Recursive => lies_under(value, wanted, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::state::Version;
    use super::*;
    use crate::api::tags::Tags;

    fn record(name: &str) -> ParameterRecord {
        let latest = Version {
            number: 1,
            kind: "String".into(),
            value: "v".into(),
            description: None,
            allowed_pattern: None,
            tier: "Standard".into(),
            data_type: "text".into(),
            modified: Timestamp::UNIX_EPOCH,
            modified_by: "root".into(),
        };
        let mut tags = Tags::new();
        tags.set("stage", "test");
        ParameterRecord { region: "us-east-1".into(), id: name.into(), latest, earlier: Vec::new(), tags }
    }

    fn filter(key: &str, option: Option<&str>, values: &[&str]) -> ParameterStringFilter {
        ParameterStringFilter {
            key: Some(key.into()),
            option: option.map(str::to_owned),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    #[test]
    fn filters_accept_what_they_say() {
        let cases: [(&str, Option<&str>, &[&str], bool); 11] = [
            ("Name", None, &["/a/b"], true),
            ("Name", Some("BeginsWith"), &["/a"], true),
            ("Name", Some("Contains"), &["x", "/b"], true),
            ("Name", Some("Equals"), &["/a"], false),
            ("Path", None, &["/a"], true),
            ("Path", Some("OneLevel"), &["/"], false),
            ("Path", Some("Recursive"), &["/"], true),
            ("Type", None, &["StringList"], false),
            ("Tier", Some("Equals"), &["Standard"], true),
            ("tag:stage", None, &[], true),
            ("tag:stage", None, &["live"], false),
        ];
        for (key, option, values, expected) in cases {
            let filters = Filters::read(vec![filter(key, option, values)], Filters::OF_ALL).unwrap();
            assert_eq!(filters.accept(&record("/a/b")), expected, "{key} {option:?} {values:?}");
        }
    }

    #[test]
    fn what_is_no_filter_is_told() {
        let cases = [
            (filter("Name", None, &["x"]), Filters::OF_PATHS, "InvalidFilterKey"),
            (filter("tag:a", None, &["x"]), Filters::OF_PATHS, "InvalidFilterKey"),
            (filter("Colour", None, &["x"]), Filters::OF_ALL, "InvalidFilterKey"),
            (filter("Type", Some("Contains"), &["x"]), Filters::OF_ALL, "InvalidFilterOption"),
            (filter("Type", None, &[]), Filters::OF_ALL, "InvalidFilterValue"),
        ];
        for (given, keys, code) in cases {
            let error = Filters::read(vec![given.clone()], keys).unwrap_err();
            assert_eq!(error.code, code, "{given:?}");
        }
    }
}
