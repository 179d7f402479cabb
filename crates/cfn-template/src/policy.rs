//! `CreationPolicy` and `UpdatePolicy`, and the durations in them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use template_text::suggest::did_you_mean;

use crate::{
    error::Errors,
    node::{Node, Value},
    span::Place,
};

/// The longest a policy may wait: twelve hours for signals.
pub const MAX_SIGNAL_TIMEOUT: Duration = Duration::from_secs(12 * 3600);
/// The longest a rolling update may pause: one hour.
pub const MAX_PAUSE_TIME: Duration = Duration::from_secs(3600);

/// A duration that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not in the form `PT#H#M#S`.
    #[error("'{0}' is not a duration in the form PT#H#M#S")]
    Malformed(String),
    /// It is longer than allowed.
    #[error("'{0}' is longer than the maximum, {1}")]
    TooLong(String, &'static str),
}

/// Reads an ISO 8601 duration of hours, minutes and seconds: `PT15M`, `PT1H30M`, `PT90S`.
///
/// # Errors
/// [`DurationError::Malformed`] for anything else, days and fractions included.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    read_duration(text).ok_or_else(|| DurationError::Malformed(text.to_owned()))
}

fn read_duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix("PT")?;
    if rest.is_empty() {
        return None;
    }
    let mut seconds: u64 = 0;
    for (unit, worth) in [('H', 3600), ('M', 60), ('S', 1)] {
        let Some(at) = rest.find(unit) else { continue };
        let (digits, tail) = rest.split_at(at);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let count: u64 = digits.parse().ok()?;
        seconds = seconds.checked_add(count.checked_mul(worth)?)?;
        rest = &tail[1..];
    }
    rest.is_empty().then(|| Duration::from_secs(seconds))
}

/// Reads a policy's timeout, which may be at most twelve hours.
///
/// # Errors
/// When it is malformed or longer.
pub fn parse_signal_timeout(text: &str) -> Result<Duration, DurationError> {
    limited(text, MAX_SIGNAL_TIMEOUT, "PT12H")
}

/// Writes a duration as [`parse_duration`] reads it, in the largest units that are whole.
pub fn format_duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("PT{}H", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("PT{}M", seconds / 60),
        seconds => format!("PT{seconds}S"),
    }
}

fn limited(text: &str, most: Duration, name: &'static str) -> Result<Duration, DurationError> {
    let duration = parse_duration(text)?;
    if duration > most { Err(DurationError::TooLong(text.to_owned(), name)) } else { Ok(duration) }
}

/// An evaluated `CreationPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreationPolicy {
    /// `ResourceSignal`.
    pub resource_signal: Option<ResourceSignal>,
    /// `MinSuccessfulInstancesPercent` of `AutoScalingCreationPolicy`.
    pub min_successful_instances_percent: Option<u32>,
}

/// How many success signals a resource waits for, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceSignal {
    /// `Count`; 1 when left out.
    pub count: u32,
    /// `Timeout`; five minutes when left out.
    pub timeout: Duration,
}

impl Default for ResourceSignal {
    fn default() -> Self {
        Self { count: 1, timeout: Duration::from_secs(300) }
    }
}

/// An evaluated `UpdatePolicy` of an Auto Scaling group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdatePolicy {
    /// `AutoScalingRollingUpdate`.
    pub rolling: Option<RollingUpdate>,
    /// `WillReplace` of `AutoScalingReplacingUpdate`.
    pub will_replace: bool,
    /// `IgnoreUnmodifiedGroupSizeProperties` of `AutoScalingScheduledAction`.
    pub ignore_unmodified_group_size: bool,
}

/// `AutoScalingRollingUpdate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollingUpdate {
    /// `MaxBatchSize`; 1 when left out.
    pub max_batch_size: u32,
    /// `MinInstancesInService`; 0 when left out.
    pub min_instances_in_service: u32,
    /// `MinSuccessfulInstancesPercent`; 100 when left out.
    pub min_successful_instances_percent: u32,
    /// `MinActiveInstancesPercent`; 100 when left out.
    pub min_active_instances_percent: u32,
    /// `PauseTime`; nothing when left out, five minutes when signals are waited for.
    pub pause_time: Duration,
    /// `WaitOnResourceSignals`.
    pub wait_on_resource_signals: bool,
    /// `SuspendProcesses`.
    pub suspend_processes: Vec<String>,
}

const CREATION: [(&str, &[&str]); 2] = [
    ("AutoScalingCreationPolicy", &["MinSuccessfulInstancesPercent"]),
    ("ResourceSignal", &["Count", "Timeout"]),
];

const UPDATE: [(&str, &[&str]); 3] = [
    ("AutoScalingReplacingUpdate", &["WillReplace"]),
    (
        "AutoScalingRollingUpdate",
        &[
            "MaxBatchSize",
            "MinActiveInstancesPercent",
            "MinInstancesInService",
            "MinSuccessfulInstancesPercent",
            "PauseTime",
            "SuspendProcesses",
            "WaitOnResourceSignals",
        ],
    ),
    ("AutoScalingScheduledAction", &["IgnoreUnmodifiedGroupSizeProperties"]),
];

pub(crate) fn check_creation_policy(node: &Node, place: &Place<'_>, errors: &mut Errors) {
    check(node, "CreationPolicy", &CREATION, place, errors);
}

pub(crate) fn check_update_policy(node: &Node, place: &Place<'_>, errors: &mut Errors) {
    check(node, "UpdatePolicy", &UPDATE, place, errors);
}

/// Refuses members that are not known, and literal durations that cannot be read.
fn check(node: &Node, attribute: &str, known: &[(&str, &[&str])], place: &Place<'_>, errors: &mut Errors) {
    let Value::Map(map) = &node.value else { return };
    for (key, entry) in map {
        let place = place.child(key);
        let Some((_, members)) = known.iter().find(|(name, _)| name == key) else {
            let message = format!("Template format error: {attribute} member '{key}' is not supported");
            let hint = did_you_mean(key, known.iter().map(|(name, _)| *name));
            errors.hint(&place, entry.key_span, message, hint);
            continue;
        };
        let Value::Map(inner) = &entry.node.value else { continue };
        for (name, member) in inner {
            let place = place.child(name);
            if !members.contains(&name.as_str()) {
                let message = format!("Template format error: {key} member '{name}' is not supported");
                errors.hint(&place, member.key_span, message, did_you_mean(name, members.iter().copied()));
            } else if let Some(text) = member.node.as_str()
                && let Err(error) = check_duration(name, text)
            {
                errors.add(
                    &place,
                    member.node.span,
                    format!("Template format error: {attribute} {name}: {error}"),
                );
            }
        }
    }
}

fn check_duration(name: &str, text: &str) -> Result<(), DurationError> {
    match name {
        "Timeout" => parse_signal_timeout(text).map(drop),
        "PauseTime" => limited(text, MAX_PAUSE_TIME, "PT1H").map(drop),
        _ => Ok(()),
    }
}

impl CreationPolicy {
    /// Reads an evaluated policy.
    ///
    /// # Errors
    /// The member that is wrong, and why.
    pub fn from_json(json: &Json) -> Result<Self, String> {
        let resource_signal = match json.get("ResourceSignal") {
            None => None,
            Some(signal) => Some(ResourceSignal {
                count: number(signal, "Count", 0..=u32::MAX)?.unwrap_or(1),
                timeout: match text(signal, "Timeout") {
                    None => ResourceSignal::default().timeout,
                    Some(text) => parse_signal_timeout(&text)
                        .map_err(|error| format!("CreationPolicy Timeout: {error}"))?,
                },
            }),
        };
        let auto_scaling = json.get("AutoScalingCreationPolicy").unwrap_or(&Json::Null);
        Ok(Self {
            resource_signal,
            min_successful_instances_percent: number(auto_scaling, "MinSuccessfulInstancesPercent", 0..=100)?,
        })
    }

    /// The policy as a template has it, with everything that was left out filled in.
    pub fn to_json(&self) -> Json {
        let mut json = json!({});
        if let Some(signal) = self.resource_signal {
            json["ResourceSignal"] =
                json!({"Count": signal.count, "Timeout": format_duration(signal.timeout)});
        }
        if let Some(percent) = self.min_successful_instances_percent {
            json["AutoScalingCreationPolicy"] = json!({"MinSuccessfulInstancesPercent": percent});
        }
        json
    }
}

impl UpdatePolicy {
    /// Reads an evaluated policy.
    ///
    /// # Errors
    /// The member that is wrong, and why.
    pub fn from_json(json: &Json) -> Result<Self, String> {
        let rolling = json.get("AutoScalingRollingUpdate").map(RollingUpdate::from_json).transpose()?;
        let flag = |member: &str, name: &str| match json.get(member) {
            Some(member) => boolean(member, name).map(Option::unwrap_or_default),
            None => Ok(false),
        };
        Ok(Self {
            rolling,
            will_replace: flag("AutoScalingReplacingUpdate", "WillReplace")?,
            ignore_unmodified_group_size: flag(
                "AutoScalingScheduledAction",
                "IgnoreUnmodifiedGroupSizeProperties",
            )?,
        })
    }

    /// The policy as a template has it, with everything that was left out filled in.
    pub fn to_json(&self) -> Json {
        let mut json = json!({
            "AutoScalingReplacingUpdate": {"WillReplace": self.will_replace},
            "AutoScalingScheduledAction": {
                "IgnoreUnmodifiedGroupSizeProperties": self.ignore_unmodified_group_size,
            },
        });
        if let Some(rolling) = &self.rolling {
            json["AutoScalingRollingUpdate"] = rolling.to_json();
        }
        json
    }
}

impl RollingUpdate {
    fn to_json(&self) -> Json {
        json!({
            "MaxBatchSize": self.max_batch_size,
            "MinActiveInstancesPercent": self.min_active_instances_percent,
            "MinInstancesInService": self.min_instances_in_service,
            "MinSuccessfulInstancesPercent": self.min_successful_instances_percent,
            "PauseTime": format_duration(self.pause_time),
            "SuspendProcesses": self.suspend_processes,
            "WaitOnResourceSignals": self.wait_on_resource_signals,
        })
    }

    fn from_json(json: &Json) -> Result<Self, String> {
        let wait_on_resource_signals = boolean(json, "WaitOnResourceSignals")?.unwrap_or_default();
        let pause_time = match text(json, "PauseTime") {
            Some(text) => limited(&text, MAX_PAUSE_TIME, "PT1H")
                .map_err(|error| format!("UpdatePolicy PauseTime: {error}"))?,
            None if wait_on_resource_signals => Duration::from_secs(300),
            None => Duration::ZERO,
        };
        let suspended = json.get("SuspendProcesses").and_then(Json::as_array).into_iter().flatten();
        Ok(Self {
            max_batch_size: number(json, "MaxBatchSize", 1..=100)?.unwrap_or(1),
            min_instances_in_service: number(json, "MinInstancesInService", 0..=u32::MAX)?.unwrap_or(0),
            min_successful_instances_percent: number(json, "MinSuccessfulInstancesPercent", 0..=100)?
                .unwrap_or(100),
            min_active_instances_percent: number(json, "MinActiveInstancesPercent", 0..=100)?.unwrap_or(100),
            pause_time,
            wait_on_resource_signals,
            suspend_processes: suspended.filter_map(Json::as_str).map(str::to_owned).collect(),
        })
    }
}

fn text(json: &Json, name: &str) -> Option<String> {
    json.get(name).map(crate::evaluate::scalar_text).unwrap_or_default()
}

fn number(json: &Json, name: &str, range: std::ops::RangeInclusive<u32>) -> Result<Option<u32>, String> {
    let Some(value) = json.get(name) else { return Ok(None) };
    let number = crate::evaluate::scalar_text(value).and_then(|text| text.parse().ok());
    match number {
        Some(number) if range.contains(&number) => Ok(Some(number)),
        _ => Err(format!("{name} must be a number from {} to {}, not {value}", range.start(), range.end())),
    }
}

fn boolean(json: &Json, name: &str) -> Result<Option<bool>, String> {
    match json.get(name).map(crate::evaluate::scalar_text) {
        None => Ok(None),
        Some(Some(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Some(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(format!("{name} must be true or false")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("PT15M", Some(900)),
            ("PT12H", Some(43_200)),
            ("PT1H30M5S", Some(5405)),
            ("PT0S", Some(0)),
            ("PT", None),
            ("15M", None),
            ("PT15", None),
            ("PT1M1H", None),
            ("P1D", None),
            ("PT1.5H", None),
            ("PT-1S", None),
            ("PT99999999999999999999S", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(parse_duration(text).ok(), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(
            parse_signal_timeout("PT12H1S").unwrap_err().to_string(),
            "'PT12H1S' is longer than the maximum, PT12H"
        );
    }

    #[test]
    fn creation_policies() {
        let read = |json: Json| CreationPolicy::from_json(&json);
        let policy = read(json!({"ResourceSignal": {"Count": "3", "Timeout": "PT15M"}})).unwrap();
        let signal = policy.resource_signal.unwrap();
        assert_eq!((signal.count, signal.timeout.as_secs()), (3, 900));
        let policy = read(json!({"ResourceSignal": {}})).unwrap();
        assert_eq!(policy.resource_signal, Some(ResourceSignal::default()));
        assert!(read(json!({"ResourceSignal": {"Count": "many"}})).unwrap_err().contains("Count"));
        assert_eq!(
            read(json!({"AutoScalingCreationPolicy": {"MinSuccessfulInstancesPercent": 50}})).unwrap(),
            CreationPolicy { resource_signal: None, min_successful_instances_percent: Some(50) }
        );
    }

    #[test]
    fn update_policies() {
        let read = |json: Json| UpdatePolicy::from_json(&json);
        let policy = read(json!({"AutoScalingRollingUpdate": {"WaitOnResourceSignals": "true"}})).unwrap();
        let rolling = policy.rolling.unwrap();
        assert_eq!((rolling.max_batch_size, rolling.pause_time.as_secs()), (1, 300));
        assert!(read(json!({"AutoScalingRollingUpdate": {"PauseTime": "PT2H"}})).is_err());
        assert!(read(json!({"AutoScalingReplacingUpdate": {"WillReplace": true}})).unwrap().will_replace);
        assert!(read(json!({"AutoScalingReplacingUpdate": {"WillReplace": "maybe"}})).is_err());
    }
}
