//! Making and changing parameters.

use aws_wire::Error;
use aws_wire::ssm::{PutParameterRequest, PutParameterResult};
use jiff::Timestamp;
use regex::Regex;

use super::errors::{self, validation};
use super::state::{ParameterRecord, Version};
use super::{may_reserve, names, tagging};
use crate::Ctx;
use crate::api::tags::Tags;

/// The longest value of a standard parameter in characters.
const MAX_STANDARD: usize = 4096;
/// The longest value of an advanced parameter in characters.
const MAX_ADVANCED: usize = 8192;

/// `PutParameter`
pub fn put(ctx: &Ctx, input: PutParameterRequest) -> Result<PutParameterResult, Error> {
    let name = input.name.clone().unwrap_or_default();
    names::check(&name).map_err(errors::name)?;
    refuse_unsupported(&input)?;
    let overwrite = input.overwrite == Some(true);
    if overwrite && !input.tags.is_empty() {
        return Err(validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let mut tags = Tags::new();
    tags.merge(tagging::pairs(input.tags.clone()), may_reserve(ctx)).map_err(errors::tags)?;
    ctx.cloud.store.write(|tx| {
        let existing = tx.get::<ParameterRecord>(&ctx.region, &name);
        if existing.is_some() && !overwrite {
            return Err(Error::client(
                "ParameterAlreadyExists",
                "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
            ));
        }
        let version = version(ctx, input, existing.as_deref().map(|existing| &existing.latest))?;
        let answer = PutParameterResult { version: Some(version.number), tier: Some(version.tier.clone()) };
        tx.put(match existing {
            Some(existing) => {
                let mut record = (*existing).clone();
                record.push(version);
                record
            }
            None => ParameterRecord {
                region: ctx.region.to_string(),
                id: name,
                latest: version,
                earlier: Vec::new(),
                tags,
            },
        })?;
        Ok(answer)
    })
}

fn refuse_unsupported(input: &PutParameterRequest) -> Result<(), Error> {
    if input.type_.as_deref() == Some("SecureString") {
        return Err(Error::client(
            "UnsupportedParameterType",
            "The parameter type SecureString is not supported: this cloud has no KMS to encrypt it with.",
        ));
    }
    if input.key_id.is_some() {
        return Err(validation("KeyId is required for SecureString type parameter only."));
    }
    if input.policies.as_deref().is_some_and(|policies| !["", "[]", "{}"].contains(&policies)) {
        return Err(validation("Parameter policies are not supported by this cloud."));
    }
    Ok(())
}

/// The version that a request makes after the one before it.
fn version(ctx: &Ctx, input: PutParameterRequest, before: Option<&Version>) -> Result<Version, Error> {
    let kind = match (input.type_, before) {
        (Some(kind), Some(before)) if kind != before.kind => {
            return Err(Error::client(
                "HierarchyTypeMismatchException",
                format!(
                    "Parameter Store does not support changing a parameter type in a hierarchy, from {} to {kind}.",
                    before.kind
                ),
            ));
        }
        (Some(kind), _) => kind,
        (None, Some(before)) => before.kind.clone(),
        (None, None) => return Err(validation("A parameter type is required when you create a parameter.")),
    };
    let value = input.value.unwrap_or_default();
    let tier = tier(input.tier.as_deref(), before.map(|before| before.tier.as_str()), value.chars().count())?;
    let data_type = input.data_type.or_else(|| before.map(|before| before.data_type.clone()));
    let data_type = data_type.unwrap_or_else(|| "text".to_owned());
    check_value(&kind, &value)?;
    check_data_type(ctx, &data_type, &value)?;
    let allowed_pattern = input.allowed_pattern.or_else(|| before?.allowed_pattern.clone());
    let allowed_pattern = allowed_pattern.filter(|pattern| !pattern.is_empty());
    if let Some(pattern) = &allowed_pattern {
        check_pattern(pattern, &kind, &value)?;
    }
    Ok(Version {
        number: before.map_or(1, |before| before.number + 1),
        kind,
        value,
        description: input.description.or_else(|| before?.description.clone()),
        allowed_pattern,
        tier: tier.to_owned(),
        data_type,
        modified: Timestamp::now(),
        modified_by: ctx.caller_arn(),
    })
}

/// The tier that a parameter comes into. It can be raised but not lowered.
fn tier(asked: Option<&str>, before: Option<&str>, chars: usize) -> Result<&'static str, Error> {
    let tier = match (asked, before) {
        (Some("Advanced"), _) | (None, Some("Advanced")) => "Advanced",
        (Some("Intelligent-Tiering"), before) if chars > MAX_STANDARD || before == Some("Advanced") => {
            "Advanced"
        }
        (Some("Standard"), Some("Advanced")) => {
            return Err(validation(
                "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier.",
            ));
        }
        _ => "Standard",
    };
    let most = if tier == "Advanced" { MAX_ADVANCED } else { MAX_STANDARD };
    if chars > most {
        return Err(validation(format!(
            "{tier} tier parameters support a maximum parameter value of {most} characters."
        )));
    }
    Ok(tier)
}

fn check_value(kind: &str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(validation("A parameter's value must have at least one character."));
    }
    if value.contains("{{") {
        return Err(validation(
            "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.",
        ));
    }
    if kind == "StringList" && value.split(',').any(str::is_empty) {
        return Err(validation("The items of a StringList, separated by commas, must not be empty."));
    }
    Ok(())
}

fn check_data_type(ctx: &Ctx, data_type: &str, value: &str) -> Result<(), Error> {
    match data_type {
        "text" => Ok(()),
        "aws:ec2:image" => {
            let image = ctx.cloud.images.get(value).map_err(|error| Error::internal(error.to_string()))?;
            let visible = image.is_some_and(|image| image.region.is_none_or(|region| region == *ctx.region));
            if visible { Ok(()) } else { Err(validation(format!("The image {value} does not exist."))) }
        }
        other => Err(validation(format!(
            "The data type {other} is not supported by this cloud; text and aws:ec2:image are."
        ))),
    }
}

fn check_pattern(pattern: &str, kind: &str, value: &str) -> Result<(), Error> {
    let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(|_| {
        Error::client(
            "InvalidAllowedPatternException",
            format!("The allowed pattern {pattern} is not a regular expression."),
        )
    })?;
    let fits = match kind {
        "StringList" => value.split(',').all(|item| whole.is_match(item)),
        _ => whole.is_match(value),
    };
    if fits {
        return Ok(());
    }
    let message = format!("Parameter value, cannot be validated against allowedPattern: {pattern}");
    Err(Error::client("ParameterPatternMismatchException", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers() {
        let cases = [
            (None, None, 10, Some("Standard")),
            (None, None, 4097, None),
            (Some("Advanced"), Some("Standard"), 8192, Some("Advanced")),
            (Some("Advanced"), None, 8193, None),
            (Some("Intelligent-Tiering"), None, 4096, Some("Standard")),
            (Some("Intelligent-Tiering"), None, 4097, Some("Advanced")),
            (None, Some("Advanced"), 10, Some("Advanced")),
            (Some("Standard"), Some("Advanced"), 10, None),
        ];
        for (asked, before, chars, expected) in cases {
            assert_eq!(tier(asked, before, chars).ok(), expected, "{asked:?} {before:?} {chars}");
        }
    }

    #[test]
    fn values_and_patterns() {
        for (kind, value, fine) in [
            ("String", "a", true),
            ("String", "", false),
            ("String", "{{a}}", false),
            ("StringList", "a,,b", false),
        ] {
            assert_eq!(check_value(kind, value).is_ok(), fine, "{kind} {value}");
        }
        for (pattern, kind, value, code) in [
            (r"\d+", "String", "12", None),
            (r"\d+", "String", "a1", Some("ParameterPatternMismatchException")),
            (r"\d+", "StringList", "1,2", None),
            (r"\d+", "StringList", "1,b", Some("ParameterPatternMismatchException")),
            ("(", "String", "a", Some("InvalidAllowedPatternException")),
        ] {
            let error = check_pattern(pattern, kind, value).err().map(|error| error.code);
            assert_eq!(error.as_deref(), code, "{pattern} {value}");
        }
    }
}
