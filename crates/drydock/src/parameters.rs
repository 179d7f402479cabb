//! Parameters on the command line: `KEY=VALUE`, and files of such lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::exit::Failure;

/// Reads `--parameter-overrides`: each item is `KEY=VALUE`, or a file with one `KEY=VALUE` a line (as
/// `dev.cfg`), or a JSON file in CloudFormation's or CodePipeline's form. A later item wins.
pub fn overrides(items: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut all = BTreeMap::new();
    for item in items {
        match item.split_once('=') {
            Some((key, value)) if is_key(key) => {
                all.insert(key.to_owned(), value.to_owned());
            }
            _ => all.extend(file(Path::new(item.strip_prefix("file://").unwrap_or(item)))?),
        }
    }
    Ok(all)
}

/// Reads a file of parameters.
pub fn file(path: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::config(format!(
            "{}: {error}; parameters are KEY=VALUE or the name of a file of them",
            path.display()
        ))
    })?;
    let parsed = if text.trim_start().starts_with(['{', '[']) { json(&text) } else { lines(&text) };
    parsed.map_err(|reason| Failure::config(format!("{}: {reason}", path.display())))
}

/// `KEY=VALUE` lines; empty lines and those that begin with `#` are skipped.
fn lines(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=').filter(|(key, _)| is_key(key.trim())) else {
            return Err(format!("line {}: {line:?} is not KEY=VALUE", number + 1));
        };
        all.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    Ok(all)
}

/// `{"Parameters": {KEY: VALUE}}`, `[{"ParameterKey": …, "ParameterValue": …}]` or `["KEY=VALUE"]`.
fn json(text: &str) -> Result<BTreeMap<String, String>, String> {
    use serde_json::Value;
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let scalar = |key: &str, value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(format!("the value of {key} is neither text nor a number")),
    };
    match &value {
        Value::Object(object) => {
            let parameters = object
                .get("Parameters")
                .and_then(Value::as_object)
                .ok_or("expected {\"Parameters\": {KEY: VALUE}}")?;
            parameters.iter().map(|(key, value)| Ok((key.clone(), scalar(key, value)?))).collect()
        }
        Value::Array(items) => items
            .iter()
            .map(|item| {
                if let Some((key, value)) = item.as_str().and_then(|text| text.split_once('=')) {
                    return Ok((key.to_owned(), value.to_owned()));
                }
                let key =
                    item.get("ParameterKey").and_then(Value::as_str).ok_or("an item has no ParameterKey")?;
                let value = item.get("ParameterValue").ok_or(format!("{key} has no ParameterValue"))?;
                Ok((key.to_owned(), scalar(key, value)?))
            })
            .collect(),
        _ => Err("expected an object or a list".to_owned()),
    }
}

/// CloudFormation's parameter names are letters and digits.
fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn lines_of_a_file() {
        let read = lines("Count=1\n# comment\n\nSubnets=subnet-a,subnet-b\r\nExpr=a=b\n").unwrap();
        assert_eq!(read, map(&[("Count", "1"), ("Subnets", "subnet-a,subnet-b"), ("Expr", "a=b")]));
        assert_eq!(lines("Count=1\nnonsense\n").unwrap_err(), "line 2: \"nonsense\" is not KEY=VALUE");
    }

    #[test]
    fn json_files() {
        let expected = map(&[("A", "x"), ("B", "2")]);
        assert_eq!(json(r#"{"Parameters": {"A": "x", "B": 2}}"#).unwrap(), expected);
        assert_eq!(
            json(r#"[{"ParameterKey": "A", "ParameterValue": "x"}, {"ParameterKey": "B", "ParameterValue": 2}]"#).unwrap(),
            expected
        );
        assert_eq!(json(r#"["A=x", "B=2"]"#).unwrap(), expected);
        assert!(json(r#"{"A": "x"}"#).is_err());
        assert!(json(r#"[{"ParameterKey": "A", "ParameterValue": []}]"#).is_err());
    }

    #[test]
    fn later_items_win_over_files() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("dev.cfg");
        fs::write(&file, "A=1\nB=2\n").unwrap();
        let read = overrides(&[file.display().to_string(), "B=3".to_owned()]).unwrap();
        assert_eq!(read, map(&[("A", "1"), ("B", "3")]));
        let missing = overrides(&["nowhere.cfg".to_owned()]).unwrap_err();
        assert!(missing.message.unwrap().contains("nowhere.cfg"));
    }
}
