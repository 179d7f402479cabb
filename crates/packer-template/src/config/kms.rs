//! Keys of encrypted images: Packer's checks of `encrypt_boot`, `kms_key_id` and `region_kms_key_ids`.

use super::{amazon::AmiConfig, reader::Reader};

/// Checks keys, regions and who the image is shared with against one another.
pub(super) fn check(reader: &Reader<'_>, config: &AmiConfig) {
    regions(reader, config);
    sharing(reader, config);
    let keys: Vec<(&str, &String)> = config
        .kms_key_id
        .iter()
        .map(|key| ("kms_key_id", key))
        .chain(config.region_kms_key_ids.values().map(|key| ("region_kms_key_ids", key)))
        .filter(|(_, key)| !key.is_empty())
        .collect();
    if let Some((option, _)) = keys.first()
        && config.encrypt_boot != Some(true)
    {
        reader.fail(option, format!("'{option}' is for encrypted images: \"encrypt_boot\": true"));
    }
    for (option, key) in keys {
        if !is_key(key) {
            reader.fail(option, format!("'{key}' is no key of KMS: an id, an alias or the ARN of one"));
        }
    }
}

/// With keys by region, every region that the image is copied to needs its own, and the other way round.
fn regions(reader: &Reader<'_>, config: &AmiConfig) {
    let keys = &config.region_kms_key_ids;
    if keys.is_empty() {
        return;
    }
    for region in keys.keys().filter(|region| !config.ami_regions.contains(region)) {
        reader
            .fail("region_kms_key_ids", format!("the region {region} has a key but is not in 'ami_regions'"));
    }
    for (index, region) in config.ami_regions.iter().enumerate() {
        if !keys.contains_key(region) {
            reader.fail_at(
                "ami_regions",
                index,
                format!("the region {region} has no key in 'region_kms_key_ids'"),
            );
        }
    }
}

/// What is encrypted with an account's default key cannot be shared with others.
fn sharing(reader: &Reader<'_>, config: &AmiConfig) {
    let no_key = config.kms_key_id.is_none() && config.region_kms_key_ids.is_empty();
    let default_key = no_key && config.encrypt_boot == Some(true);
    let default_of_a_region = config.region_kms_key_ids.values().any(String::is_empty);
    if !default_key && !default_of_a_region {
        return;
    }
    for (option, users) in [("ami_users", &config.ami_users), ("snapshot_users", &config.snapshot_users)] {
        if !users.is_empty() {
            reader.fail(
                option,
                "what is encrypted with the default key of KMS cannot be shared: name a key of your own",
            );
        }
    }
}

/// A key's id, an alias, or the ARN of either.
fn is_key(text: &str) -> bool {
    if let Some(arn) = text.strip_prefix("arn:") {
        let parts: Vec<&str> = arn.splitn(5, ':').collect();
        let [partition, "kms", region, account, resource] = parts.as_slice() else { return false };
        let known = matches!(*partition, "aws" | "aws-us-gov");
        let account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let key = resource.strip_prefix("key/").is_some_and(is_id);
        return known && !region.is_empty() && account && (key || is_alias(resource));
    }
    is_id(text) || is_alias(text)
}

fn is_id(text: &str) -> bool {
    let hexadecimal = |byte: u8| matches!(byte, b'a'..=b'f' | b'0'..=b'9' | b'-');
    !text.is_empty() && text.bytes().all(hexadecimal)
}

fn is_alias(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":/_-".contains(&byte);
    text.strip_prefix("alias/").is_some_and(|name| !name.is_empty() && name.bytes().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let cases = [
            ("12345678-1234-abcd-0000-123456789012", true),
            ("alias/foo/bar", true),
            ("arn:aws:kms:us-east-1:012345678910:key/12345678-1234-abcd-0000-123456789012", true),
            ("arn:aws:kms:us-east-1:012345678910:alias/foo/bar", true),
            ("arn:aws-us-gov:kms:us-gov-east-1:123456789012:alias/foo", true),
            ("not-a-kms-id", false),
            ("arn:aws:kms:us-east-1:1:alias/foo", false),
            ("arn:foo:kms:us-east-1:012345678910:key/1", false),
            ("arn:aws:ec2:us-east-1:012345678910:key/1", false),
            ("alias/", false),
            ("", false),
        ];
        for (text, expected) in cases {
            assert_eq!(is_key(text), expected, "{text}");
        }
    }
}
