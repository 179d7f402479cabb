//! Names of log groups: which one is meant, and how little of it must be shown. Pure.

use template_text::suggest::did_you_mean;

/// A name that does not lead to one group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing is called so.
    #[error("no log group is called {asked}{}", after(.hint))]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What may have been meant, or what there is.
        hint: String,
    },
    /// Several are.
    #[error("{asked} could be any of {} log groups:\n  {}\nsay more of the name", .candidates.len(), .candidates.join("\n  "))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// The groups, in order of name.
        candidates: Vec<String>,
    },
}

fn after(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("; {hint}") }
}

/// How many groups an error lists.
const LISTED: usize = 12;

/// The index of the group that `asked` means: the group of that name, else the only one whose path ends with it, whose
/// name begins with it, ends with it, or has it somewhere, tried in this order.
///
/// # Errors
/// When there is none or more than one.
pub fn resolve(asked: &str, groups: &[&str]) -> Result<usize, NameError> {
    let as_path = format!("/{}", asked.trim_start_matches('/'));
    let is_whole = |name: &str| name == asked;
    let ends_path = |name: &str| name.ends_with(&as_path);
    let begins = |name: &str| name.starts_with(asked);
    let ends = |name: &str| name.ends_with(asked);
    let is_part = |name: &str| name.contains(asked);
    let ways: [&dyn Fn(&str) -> bool; 5] = [&is_whole, &ends_path, &begins, &ends, &is_part];
    if !asked.is_empty() {
        for fits in ways {
            let found: Vec<usize> = (0..groups.len()).filter(|&index| fits(groups[index])).collect();
            match found.as_slice() {
                [] => {}
                [one] => return Ok(*one),
                many => return Err(ambiguous(asked, many.iter().map(|&index| groups[index]))),
            }
        }
    }
    Err(NameError::Unknown { asked: asked.to_owned(), hint: hint(asked, groups) })
}

fn ambiguous<'a>(asked: &str, candidates: impl Iterator<Item = &'a str>) -> NameError {
    let mut candidates: Vec<String> = candidates.map(str::to_owned).collect();
    candidates.sort();
    NameError::Ambiguous { asked: asked.to_owned(), candidates }
}

fn hint(asked: &str, groups: &[&str]) -> String {
    if groups.is_empty() {
        return "there are no log groups".to_owned();
    }
    let short = short_names(groups);
    let all = groups.iter().copied().chain(short.iter().map(String::as_str));
    did_you_mean(asked, all).unwrap_or_else(|| {
        let mut names: Vec<&str> = groups.to_vec();
        names.sort_unstable();
        let more = names.len().saturating_sub(LISTED);
        names.truncate(LISTED);
        let list = names.join("\n  ");
        if more == 0 {
            format!("there are:\n  {list}")
        } else {
            format!("there are:\n  {list}\n  … and {more} more")
        }
    })
}

/// For each name the shortest end of its path that none of the others has. It can be given as a group's name, too.
pub fn short_names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| short_name(name, names)).collect()
}

fn short_name(name: &str, names: &[&str]) -> String {
    let ends = name.rmatch_indices('/').map(|(at, _)| &name[at + 1..]).filter(|end| !end.is_empty());
    let is_taken = |end: &str| {
        names.iter().any(|other| *other != name && (*other == end || other.ends_with(&format!("/{end}"))))
    };
    ends.into_iter().find(|end| !is_taken(end)).unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GROUPS: [&str; 6] = [
        "/todobackend/ec2/Group/var/log/dmesg",
        "/todobackend/ec2/Group/var/log/ecs/ecs-agent",
        "/todobackend/ec2/Group/var/log/ecs/ecs-init",
        "/todobackend/ec2/Other/var/log/ecs/ecs-agent",
        "/shop/app",
        "plain",
    ];

    #[test]
    fn a_group_is_meant_by_its_name_or_the_end_or_beginning_of_it() {
        for (asked, expected) in [
            ("/shop/app", 4),
            ("/shop", 4),
            ("app", 4),
            ("plain", 5),
            ("pl", 5),
            ("dmesg", 0),
            ("/dmesg", 0),
            ("ecs-init", 2),
            ("init", 2),
            ("Other/var/log/ecs/ecs-agent", 3),
            ("/todobackend/ec2/O", 3),
            ("Other", 3),
        ] {
            assert_eq!(resolve(asked, &GROUPS), Ok(expected), "{asked}");
        }
    }

    #[test]
    fn a_whole_name_is_meant_even_if_it_begins_others() {
        assert_eq!(resolve("/a", &["/a/b", "/a", "/x/a"]), Ok(1));
        assert_eq!(
            resolve("b", &["/a/b", "/a/sub"]),
            Ok(0),
            "the end of a path goes before the end of a name"
        );
    }

    #[test]
    fn ambiguity_lists_the_candidates() {
        let error = resolve("ecs-agent", &GROUPS).unwrap_err();
        assert_eq!(
            error.to_string(),
            "ecs-agent could be any of 2 log groups:\n  /todobackend/ec2/Group/var/log/ecs/ecs-agent\n  \
             /todobackend/ec2/Other/var/log/ecs/ecs-agent\nsay more of the name"
        );
        let NameError::Ambiguous { candidates, .. } = resolve("ecs", &GROUPS).unwrap_err() else {
            panic!("unknown")
        };
        assert_eq!(candidates.len(), 3);
    }

    #[test]
    fn an_unknown_name_is_told_with_what_there_is() {
        for (asked, expected) in [
            ("dmseg", "did you mean 'dmesg'?"),
            ("/shop/ap2", "did you mean '/shop/app'?"),
            ("nonsense", "there are:\n  /shop/app\n"),
            ("", "there are:"),
        ] {
            let error = resolve(asked, &GROUPS).unwrap_err().to_string();
            assert!(error.contains(expected), "{asked}: {error}");
        }
        assert!(resolve("x", &[]).unwrap_err().to_string().contains("there are no log groups"));
    }

    #[test]
    fn short_names_tell_groups_apart() {
        assert_eq!(
            short_names(&GROUPS),
            [
                "dmesg",
                "Group/var/log/ecs/ecs-agent",
                "ecs-init",
                "Other/var/log/ecs/ecs-agent",
                "app",
                "plain"
            ]
        );
        assert_eq!(short_names(&["/a/b", "b"]), ["a/b", "b"]);
        assert_eq!(short_names(&["/a/", "/b/"]), ["a/", "b/"]);
    }

    proptest! {
        #[test]
        fn a_short_name_leads_back_to_its_group(
            names in proptest::collection::btree_set("(/[ab]{1,2}){1,3}", 1..8)
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            for (index, short) in short_names(&names).iter().enumerate() {
                prop_assert_eq!(resolve(short, &names), Ok(index), "{}", short);
            }
        }
    }
}
