//! Rust names for AWS's names.

/// Words that a field or method cannot be called.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self", "static", "struct",
    "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where",
    "while", "yield",
];

/// `VpcId` → `vpc_id`, `DBName` → `db_name`, `TargetGroupARNs` → `target_group_arns`, `type` → `type_`.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 8);
    for (i, &c) in chars.iter().enumerate() {
        if i > 0 && c.is_ascii_uppercase() && starts_word(&chars, i) {
            out.push('_');
        }
        out.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    if KEYWORDS.contains(&out.as_str()) {
        out.push('_');
    }
    out
}

/// `SNAKE_CASE` for a static.
pub fn screaming(name: &str) -> String {
    snake(name).trim_end_matches('_').to_ascii_uppercase()
}

/// Whether the uppercase letter at `i > 0` begins a word: after a lowercase letter or digit, or as the last
/// capital of a run when letters follow it (`IPAddress`), unless they are only a plural's `s` (`ARNs`).
fn starts_word(chars: &[char], i: usize) -> bool {
    if !chars[i - 1].is_ascii_uppercase() {
        return chars[i - 1].is_ascii_alphanumeric();
    }
    let next_is_lower = chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
    let plural = chars.get(i + 1) == Some(&'s') && !chars.get(i + 2).is_some_and(char::is_ascii_lowercase);
    next_is_lower && !plural
}

#[cfg(test)]
mod tests {
    use super::{screaming, snake};

    #[test]
    fn follows_the_convention() {
        for (aws, rust) in [
            ("VpcId", "vpc_id"),
            ("DBName", "db_name"),
            ("CidrIpv6", "cidr_ipv6"),
            ("IPAddress", "ip_address"),
            ("SSEType", "sse_type"),
            ("AvailabilityZones", "availability_zones"),
            ("EbsOptimized", "ebs_optimized"),
            ("Ipv6CidrBlock", "ipv6_cidr_block"),
            ("VPCZoneIdentifier", "vpc_zone_identifier"),
            ("TargetGroupARNs", "target_group_arns"),
            ("NotificationARNs", "notification_arns"),
            ("ec2InstanceId", "ec2_instance_id"),
            ("S3Bucket", "s3_bucket"),
            ("type", "type_"),
            ("Type", "type_"),
            ("Return", "return_"),
        ] {
            assert_eq!(snake(aws), rust);
        }
        assert_eq!(screaming("Type"), "TYPE");
    }
}
