//! The variables that a script gets, in the form in which Packer puts them before its command.

use std::collections::BTreeMap;

use packer_template::BuildData;

use super::ProvisionError;

/// Variables of a build, ordered by name.
pub(super) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// `PACKER_BUILD_NAME` and its siblings, and over them the user's `NAME=value`s.
    pub fn new(data: &BuildData, user: &[String]) -> Self {
        let mut variables = BTreeMap::from([
            ("PACKER_BUILD_NAME".to_owned(), data.name.clone()),
            ("PACKER_BUILDER_TYPE".to_owned(), data.builder_type.clone()),
        ]);
        for (key, name) in [
            ("PackerHTTPAddr", "PACKER_HTTP_ADDR"),
            ("PackerHTTPIP", "PACKER_HTTP_IP"),
            ("PackerHTTPPort", "PACKER_HTTP_PORT"),
        ] {
            // A builder without an HTTP server, such as amazon-ebs, says so by a value of this form.
            if let Some(value) = data.values.get(key).filter(|value| !value.starts_with("ERR_")) {
                variables.insert(name.to_owned(), value.clone());
            }
        }
        for variable in user {
            // The options were checked: each has a `=`.
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            variables.insert(name.to_owned(), value.to_owned());
        }
        Self(variables)
    }

    /// All of them in `format`, one after the other. Values are made to fit between single quotes.
    pub fn flatten(&self, format: &str) -> Result<String, ProvisionError> {
        self.0.iter().map(|(name, value)| sprintf(format, &[name, &quoted(value)])).collect()
    }
}

/// A value for between single quotes: each of its own leaves them, comes in double ones, and enters again.
fn quoted(value: &str) -> String {
    value.replace('\'', r#"'"'"'"#)
}

/// Go's `Sprintf` for texts: `%s`, `%v`, `%q`, with `[1]` and `[2]` to choose, and `%%`.
fn sprintf(format: &str, values: &[&str]) -> Result<String, ProvisionError> {
    let mut text = String::new();
    let mut rest = format;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let (directive, after) = directive(&rest[at..]);
        rest = after;
        if directive == "%%" {
            text.push('%');
            continue;
        }
        let unknown =
            || ProvisionError::EnvVarFormat { format: format.to_owned(), directive: directive.to_owned() };
        let inner = directive[1..].trim_end_matches(['s', 'v', 'q']);
        if let Some(number) = inner.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
            next =
                number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)).ok_or_else(unknown)?;
        } else if !inner.is_empty() {
            return Err(unknown());
        }
        let value = values.get(next).ok_or_else(unknown)?;
        next += 1;
        match directive.as_bytes().last() {
            Some(b's' | b'v') => text.push_str(value),
            Some(b'q') => text.push_str(&format!("{value:?}")),
            _ => return Err(unknown()),
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// The directive at the start of a text, up to and with its letter, and what follows.
fn directive(text: &str) -> (&str, &str) {
    let end = text[1..].find(|c: char| c.is_ascii_alphabetic() || c == '%').map_or(text.len(), |at| at + 2);
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    const FORMAT: &str = "%s='%s' ";

    fn data(values: &[(&str, &str)]) -> BuildData {
        BuildData {
            name: "mine".to_owned(),
            builder_type: "amazon-ebs".to_owned(),
            values: values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..BuildData::default()
        }
    }

    #[test]
    fn variables_are_ordered_and_the_users_win() {
        let user = ["Z=1".to_owned(), "A=it's = x".to_owned(), "PACKER_BUILD_NAME=other".to_owned()];
        let data = data(&[
            ("PackerHTTPAddr", "10.0.0.1:8000"),
            ("PackerHTTPIP", "ERR_HTTP_IP_NOT_IMPLEMENTED_BY_BUILDER"),
        ]);
        let flat = Environment::new(&data, &user).flatten(FORMAT).expect("flat");
        assert_eq!(
            flat,
            "A='it'\"'\"'s = x' PACKER_BUILDER_TYPE='amazon-ebs' PACKER_BUILD_NAME='other' \
             PACKER_HTTP_ADDR='10.0.0.1:8000' Z='1' "
        );
    }

    #[test]
    fn formats_are_gos() {
        for (format, expected) in [
            ("%s='%s' ", Some("N='v' ")),
            ("export %s='%s'\n", Some("export N='v'\n")),
            ("%v:%v", Some("N:v")),
            ("%[2]s%[1]s", Some("vN")),
            ("%[1]s=%q%%", Some("N=\"v\"%")),
            ("é%s", Some("éN")),
            ("%d", None),
            ("%", None),
            ("%5s", None),
            ("%s%s%s", None),
            ("%[0]s", None),
            ("%[9]s", None),
            ("%é", None),
        ] {
            assert_eq!(sprintf(format, &["N", "v"]).ok().as_deref(), expected, "{format}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever a value has in it, a shell gets it unchanged.
        #[test]
        fn values_reach_the_script_unchanged(value in "[^\0]{0,40}") {
            let user = [format!("VALUE={value}")];
            let flat = Environment::new(&data(&[]), &user).flatten(FORMAT).expect("flat");
            let output = Command::new("sh")
                .args(["-c", &format!("{flat} sh -c 'printf %s \"$VALUE\"'")])
                .output()
                .expect("sh runs");
            prop_assert_eq!(String::from_utf8_lossy(&output.stdout), value);
        }
    }
}
