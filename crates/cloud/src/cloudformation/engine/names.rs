//! Physical names as CloudFormation generates them: `stack-LogicalId-1ABC2DEF3GHI`.

use crate::ids;

/// Length of the random end; its characters are digits and capitals.
const SUFFIX: usize = 12;

/// A name for a logical id of a stack that no other has, at most `limit` characters long.
///
/// Where both do not fit, the stack's name and the logical id are cut to about half of the room each.
pub fn generate(stack: &str, logical_id: &str, limit: usize) -> String {
    join(stack, logical_id, &ids::name_suffix(SUFFIX), limit)
}

fn join(stack: &str, logical_id: &str, suffix: &str, limit: usize) -> String {
    let room = limit.saturating_sub(suffix.len() + 2);
    let half = room / 2;
    let (stack_length, id_length) = match (stack.len(), logical_id.len()) {
        (s, l) if s + l <= room => (s, l),
        (s, l) if s <= half => (s, (room - s).min(l)),
        (s, l) if l <= half => ((room - l).min(s), l),
        _ => (half, room - half),
    };
    format!("{}-{}-{suffix}", cut(stack, stack_length), cut(logical_id, id_length))
}

/// The first `length` characters; names are ASCII, so characters are bytes.
fn cut(text: &str, length: usize) -> &str {
    text.get(..length.min(text.len())).unwrap_or(text).trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_their_limit() {
        let cases = [
            ("shop", "Cluster", 64, "shop-Cluster-AAAAAAAAAAAA"),
            (
                "todobackend",
                "ApplicationAutoscalingInstanceRole",
                40,
                "todobackend-ApplicationAuto-AAAAAAAAAAAA",
            ),
            ("a-very-long-stack-name-indeed", "Role", 32, "a-very-long-st-Role-AAAAAAAAAAAA"),
            ("abcdefghijkl", "mnopqrstuvwx", 24, "abcde-mnopq-AAAAAAAAAAAA"),
        ];
        for (stack, logical_id, limit, expected) in cases {
            let name = join(stack, logical_id, "AAAAAAAAAAAA", limit);
            assert_eq!(name, expected);
            assert!(name.len() <= limit, "{name}");
        }
    }

    #[test]
    fn names_differ() {
        assert_ne!(generate("s", "L", 64), generate("s", "L", 64));
    }
}
