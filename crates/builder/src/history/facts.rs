//! The facts about a build that are tags of its image. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Record;

/// What the names of these tags begin with.
pub const TAG_PREFIX: &str = "drydock:";
/// The tag with the digest of the inputs, by which an image is found again.
pub const INPUTS_TAG: &str = "drydock:inputs";
/// The tag with the digest of the file of checks that the image has passed.
pub const CHECKS_TAG: &str = "drydock:checks";

const BUILT: &str = "drydock:built";
const BY: &str = "drydock:built-by";
const TEMPLATE: &str = "drydock:template";
const SOURCE: &str = "drydock:source-ami";
const STEPS: &str = "drydock:steps";

/// EC2 takes values of tags up to this many characters.
const MAX_VALUE: usize = 256;

/// What an image's tags say about its build.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// The digest of everything that it was made from.
    pub inputs: String,
    /// When the build began and how long it took: `2026-11-21T06:00:00Z 11.2s`.
    pub built: String,
    /// The program and its machine: `drydock 0.1.0 on ci-3`.
    pub by: String,
    /// The template's file and the build's name: `packer.json amazon-ebs`.
    pub template: String,
    /// The image that it was made from.
    pub source_ami: String,
    /// The provisioners with their seconds, shortened when there are many.
    pub steps: String,
}

impl Facts {
    /// The facts of a record.
    pub fn of(record: &Record) -> Self {
        let file = record.template.rsplit('/').next().unwrap_or(&record.template);
        Self {
            inputs: record.inputs.clone(),
            built: cut(&format!("{:.0} {:.1}s", record.started, record.seconds)),
            by: cut(&format!("{} on {}", record.by, record.host)),
            template: cut(&format!("{file} {}", record.build)),
            source_ami: record.source_ami.clone(),
            steps: steps(record),
        }
    }

    /// The facts as tags.
    pub fn tags(&self) -> Vec<(&'static str, String)> {
        let all = [
            (INPUTS_TAG, &self.inputs),
            (BUILT, &self.built),
            (BY, &self.by),
            (TEMPLATE, &self.template),
            (SOURCE, &self.source_ami),
            (STEPS, &self.steps),
        ];
        all.into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name, value.clone()))
            .collect()
    }

    /// Reads the tags of an image; none when Drydock has not built it.
    pub fn read(tags: &BTreeMap<String, String>) -> Option<Self> {
        let value = |name: &str| tags.get(name).cloned().unwrap_or_default();
        let facts = Self {
            inputs: value(INPUTS_TAG),
            built: value(BUILT),
            by: value(BY),
            template: value(TEMPLATE),
            source_ami: value(SOURCE),
            steps: value(STEPS),
        };
        (!facts.inputs.is_empty()).then_some(facts)
    }
}

/// The steps in one line: as many as fit, and how many are left out.
fn steps(record: &Record) -> String {
    const ROOM_FOR_REST: usize = 16;
    let mut line = String::new();
    for (index, step) in record.steps.iter().enumerate() {
        let separator = if index == 0 { "" } else { " / " };
        let item = format!("{separator}{} {:.1}s", plain(&step.title), step.seconds);
        if line.chars().count() + item.chars().count() > MAX_VALUE - ROOM_FOR_REST {
            line += &format!("{separator}and {} more", record.steps.len() - index);
            break;
        }
        line += &item;
    }
    line
}

/// A title in the characters that every service takes in tags.
fn plain(title: &str) -> String {
    let is_taken = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    let shown: String = title.chars().filter(|c| is_taken(*c)).take(60).collect();
    shown.trim().to_owned()
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_VALUE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::step;

    fn record(titles: &[&str]) -> Record {
        Record {
            ami: "ami-1".to_owned(),
            region: "us-east-1".to_owned(),
            template: "/home/me/packer-ecs/packer.json".to_owned(),
            build: "amazon-ebs".to_owned(),
            source_ami: "ami-5e414e24".to_owned(),
            inputs: "ab".repeat(32),
            started: "2026-11-21T06:00:00.123Z".parse().unwrap(),
            seconds: 11.21,
            by: "drydock 0.1.0".to_owned(),
            host: "ci-3".to_owned(),
            steps: titles.iter().map(|title| step(title, &"much\n".repeat(1000))).collect(),
        }
    }

    #[test]
    fn tags_tell_what_a_record_does() {
        let facts = Facts::of(&record(&["shell scripts/storage.sh", "shell sudo yum -y update …"]));
        assert_eq!(facts.built, "2026-11-21T06:00:00Z 11.2s");
        assert_eq!(facts.by, "drydock 0.1.0 on ci-3");
        assert_eq!(facts.template, "packer.json amazon-ebs");
        assert_eq!(facts.steps, "shell scripts/storage.sh 0.8s / shell sudo yum -y update 0.8s");
        let tags: BTreeMap<String, String> =
            facts.tags().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(Facts::read(&tags), Some(facts));
        assert_eq!(Facts::read(&BTreeMap::from([("Name".to_owned(), "x".to_owned())])), None);
    }

    #[test]
    fn values_fit_into_tags() {
        let many = ["shell scripts/a-rather-long-name-of-a-script.sh"; 30];
        let facts = Facts::of(&record(&many));
        assert!(facts.steps.ends_with("more"), "{}", facts.steps);
        for (name, value) in Facts::of(&record(&many)).tags() {
            assert!(name.starts_with(TAG_PREFIX));
            assert!(value.chars().count() <= MAX_VALUE, "{name}: {value}");
        }
    }
}
