//! The agent's raw settings: `/etc/ecs/ecs.config`, over the process's environment.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Why the agent cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The settings file is there but cannot be read.
    #[error("cannot read /etc/ecs/ecs.config: {0}")]
    Unreadable(#[from] std::io::Error),
    /// A setting's value does not have the form it should have.
    #[error("{name} is not valid: {reason}; its value is {value:?}")]
    Invalid {
        /// The setting.
        name: String,
        /// Its value.
        value: String,
        /// What is wrong.
        reason: String,
    },
}

/// Finds a variable of the environment.
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Names and values.
#[derive(Clone)]
pub struct Settings {
    file: BTreeMap<String, String>,
    environment: Arc<Environment>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_set().entries(self.file.keys()).finish()
    }
}

impl Settings {
    /// Reads the file under `root`; without one, everything comes from `environment`.
    pub fn load(
        root: &Path,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(root.join("etc/ecs/ecs.config")) {
            Ok(text) => text,
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(err) => return Err(err.into()),
        };
        Ok(Self { file: parse(&text), environment: Arc::new(environment) })
    }

    /// A setting's value. An empty one counts as none.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match self.file.get(name) {
            Some(value) => Some(value.clone()),
            None => (self.environment)(name),
        };
        value.filter(|value| !value.trim().is_empty())
    }

    /// The names in the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.file.keys().map(String::as_str)
    }
}

/// Lines of `NAME=VALUE`; a value is taken literally, quotes and all, as by Amazon's ecs-init. Of a repeated name the
/// last counts. Comments and other lines are passed over.
fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !name.trim().is_empty())
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_names_and_literal_values() {
        let text = "# c=d\n ECS_CLUSTER=a=b \n\nnonsense\nA=\"q\"\nECS_CLUSTER=last\n=x\nHTTPS_PROXY=\r\n";
        let expected = [("A", "\"q\""), ("ECS_CLUSTER", "last"), ("HTTPS_PROXY", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parse(text), BTreeMap::from(expected));
    }

    #[test]
    fn the_file_comes_before_the_environment_and_empty_is_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("etc/ecs")).unwrap();
        std::fs::write(dir.path().join("etc/ecs/ecs.config"), "A=file\nHTTPS_PROXY=\n").unwrap();
        let settings = Settings::load(dir.path(), |_| Some("environment".to_owned())).unwrap();
        assert_eq!(settings.get("A").as_deref(), Some("file"));
        assert_eq!(settings.get("B").as_deref(), Some("environment"));
        assert_eq!(settings.get("HTTPS_PROXY"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in prop::collection::btree_map("[A-Z_]{1,12}", "[ -~&&[^ ]]{0,20}", 0..8)) {
            let text: String = pairs.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            prop_assert_eq!(parse(&text), pairs);
        }

        #[test]
        fn any_text_is_read(text in "\\PC*|[=#\n A-Z]{0,40}") {
            for name in parse(&text).keys() {
                prop_assert!(!name.is_empty() && !name.contains('\n'));
            }
        }
    }
}
