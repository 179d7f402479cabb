//! `AWS::CloudFormation::Init` as configs and the config sets that order them.

use super::INIT_KEY;
use super::authentication::Authentication;
use super::error::BuildError;
use super::values::{Members, kind, object};
use serde_json::Value;
use std::collections::BTreeMap;

const CONFIG_SETS_KEY: &str = "configSets";
const AUTHENTICATION_KEY: &str = "AWS::CloudFormation::Authentication";
/// What a config may hold.
const SECTIONS: [&str; 7] = ["packages", "groups", "users", "sources", "files", "commands", "services"];

/// One config: its name and its sections.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The config's key.
    pub name: String,
    sections: Members,
}

impl Config {
    /// The members of a section; empty when it is absent.
    pub fn section(&self, name: &str) -> Result<&Members, BuildError> {
        static EMPTY: std::sync::LazyLock<Members> = std::sync::LazyLock::new(Members::new);
        match self.sections.get(name) {
            None | Some(Value::Null) => Ok(&EMPTY),
            Some(value) => object(value, &format!("{name} of config {}", self.name)),
        }
    }

    /// Keys that mean nothing. cfn-bootstrap passes over them in silence.
    pub fn unknown_sections(&self) -> impl Iterator<Item = &str> {
        self.sections.keys().map(String::as_str).filter(|key| !SECTIONS.contains(key))
    }
}

/// The parsed metadata.
#[derive(Debug)]
pub struct Model {
    config_sets: BTreeMap<String, Vec<Config>>,
    /// Who to be when downloading.
    pub authentication: Authentication,
}

/// A config set's member: a config, or all of another set.
#[derive(Debug, Clone, PartialEq)]
enum Entry {
    Config(Config),
    Set(String),
}

impl Model {
    /// Parses a resource's metadata. Without config sets there is one, `default`, of the config `config`.
    pub fn parse(metadata: &Value) -> Result<Self, BuildError> {
        let init = metadata
            .get(INIT_KEY)
            .ok_or_else(|| BuildError::Metadata(format!("Metadata does not contain '{INIT_KEY}'")))?;
        let init = object(init, INIT_KEY)?;
        let config_sets = match init.get(CONFIG_SETS_KEY) {
            None => {
                let sections = init.get("config").map(|value| object(value, "config")).transpose()?;
                let config =
                    Config { name: "config".to_owned(), sections: sections.cloned().unwrap_or_default() };
                BTreeMap::from([("default".to_owned(), vec![config])])
            }
            Some(Value::Object(sets)) => collapse(sets, init)?,
            Some(_) => {
                return Err(BuildError::Metadata(format!(
                    "{CONFIG_SETS_KEY} should be a mapping of name to list"
                )));
            }
        };
        let authentication = Authentication::parse(metadata.get(AUTHENTICATION_KEY))?;
        Ok(Self { config_sets, authentication })
    }

    /// The configs of a set, in order.
    pub fn config_set(&self, name: &str) -> Result<&[Config], BuildError> {
        self.config_sets
            .get(name)
            .map(Vec::as_slice)
            .ok_or_else(|| BuildError::Metadata(format!("Error: no ConfigSet named {name} exists")))
    }
}

fn collapse(sets: &Members, init: &Members) -> Result<BTreeMap<String, Vec<Config>>, BuildError> {
    let mut raw = BTreeMap::new();
    for (name, value) in sets {
        let mut entries = Vec::new();
        collect(value, init, sets, &mut entries)?;
        raw.insert(name.as_str(), entries);
    }
    raw.keys().map(|name| Ok(((*name).to_owned(), expand(name, &raw, &mut Vec::new())?))).collect()
}

fn collect(value: &Value, init: &Members, sets: &Members, into: &mut Vec<Entry>) -> Result<(), BuildError> {
    match value {
        Value::String(name) => {
            let config = init
                .get(name)
                .ok_or_else(|| BuildError::Metadata(format!("No configuration found with name: {name}")))?;
            let sections = object(config, &format!("config {name}"))?.clone();
            into.push(Entry::Config(Config { name: name.clone(), sections }));
            Ok(())
        }
        Value::Object(reference) => {
            let Some(Value::String(name)) = reference.get("ConfigSet") else {
                return Err(BuildError::Metadata(
                    "Config definitions must be either a config name or a reference in the format \
                     {'ConfigSet':<config set name>}"
                        .to_owned(),
                ));
            };
            if !sets.contains_key(name) {
                return Err(BuildError::Metadata(format!(
                    "Configuration set {name} was referenced but not defined"
                )));
            }
            into.push(Entry::Set(name.clone()));
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, init, sets, into)),
        other => Err(BuildError::Metadata(format!("A configSet cannot hold {}", kind(other)))),
    }
}

/// The configs of `name`, with the sets it refers to put in place; `path` is how the reference was reached.
fn expand<'n>(
    name: &'n str,
    raw: &BTreeMap<&str, Vec<Entry>>,
    path: &mut Vec<&'n str>,
) -> Result<Vec<Config>, BuildError> {
    if path.contains(&name) {
        path.push(name);
        return Err(BuildError::Metadata(format!(
            "At least one circular dependency detected; this is not allowed. Culprits: {}",
            path.join(" -> ")
        )));
    }
    path.push(name);
    let mut configs = Vec::new();
    for entry in raw.get(name).into_iter().flatten() {
        match entry {
            Entry::Config(config) => configs.push(config.clone()),
            Entry::Set(other) => configs.extend(expand_owned(other, raw, path)?),
        }
    }
    path.pop();
    Ok(configs)
}

fn expand_owned(
    name: &str,
    raw: &BTreeMap<&str, Vec<Entry>>,
    path: &[&str],
) -> Result<Vec<Config>, BuildError> {
    expand(name, raw, &mut path.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(init: Value) -> Result<Model, BuildError> {
        Model::parse(&json!({INIT_KEY: init}))
    }

    fn names(model: &Model, set: &str) -> Vec<String> {
        model.config_set(set).unwrap().iter().map(|config| config.name.clone()).collect()
    }

    #[test]
    fn without_config_sets_config_is_the_default() {
        let model = parse(json!({"config": {"commands": {"a": {}}}})).unwrap();
        assert_eq!(names(&model, "default"), ["config"]);
        assert_eq!(model.config_set("default").unwrap()[0].section("commands").unwrap().len(), 1);
        assert!(model.config_set("default").unwrap()[0].section("files").unwrap().is_empty());
    }

    #[test]
    fn sets_nest_in_order() {
        let model = parse(json!({
            "configSets": {
                "default": [{"ConfigSet": "late"}, "c"],
                "late": ["b", {"ConfigSet": "early"}, "a"],
                "early": "a",
            },
            "a": {}, "b": {}, "c": {},
        }))
        .unwrap();
        assert_eq!(names(&model, "default"), ["b", "a", "a", "c"]);
        assert_eq!(names(&model, "early"), ["a"]);
    }

    #[test]
    fn faults_are_named() {
        let cases = [
            (json!({"configSets": []}), "configSets should be a mapping of name to list"),
            (json!({"configSets": {"a": ["x"]}}), "No configuration found with name: x"),
            (
                json!({"configSets": {"a": [{"ConfigSet": "x"}]}}),
                "Configuration set x was referenced but not defined",
            ),
            (json!({"configSets": {"a": [{"Set": "x"}]}}), "Config definitions must be either"),
            (
                json!({"configSets": {"a": [{"ConfigSet": "b"}], "b": [{"ConfigSet": "a"}]}}),
                "At least one circular dependency detected; this is not allowed. Culprits: a -> b -> a",
            ),
            (json!({"config": []}), "config must be a mapping, not a list"),
        ];
        for (init, message) in cases {
            let err = parse(init.clone()).unwrap_err().to_string();
            assert!(err.starts_with(message), "{init}: {err}");
        }
        let err = parse(json!({"config": {}})).unwrap().config_set("web").unwrap_err().to_string();
        assert_eq!(err, "Error: no ConfigSet named web exists");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            prop_oneof![Just("config"), Just("default"), Just("a"), Just("ConfigSet")].prop_map(Value::from),
        ];
        let key =
            prop_oneof![Just("configSets"), Just("config"), Just("ConfigSet"), Just("default"), Just("a")];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..4).prop_map(|pairs| {
                    Value::Object(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_metadata_parses_or_is_refused(init in any_json()) {
            if let Ok(model) = parse(init) {
                let _ = model.config_set("default");
            }
        }
    }
}
