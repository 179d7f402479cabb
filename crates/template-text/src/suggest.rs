//! "Did you mean …?" for misspelt names.

use strsim::levenshtein;

/// A hint naming the candidate nearest to `name`, if one is near enough to be a slip of the pen.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|near| format!("did you mean '{near}'?"))
}

fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the name may differ; more and the guess helps nobody. Of a name of two letters nothing may.
    let limit = match name.chars().count() {
        0..=2 => 0,
        length => length.div_ceil(3),
    };
    candidates
        .into_iter()
        .map(|candidate| (levenshtein(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= limit && candidate != name)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        let sections = ["Resources", "Outputs", "Parameters"];
        let cases = [
            ("Resource", Some("Resources")),
            ("resources", Some("Resources")),
            ("Ouputs", Some("Outputs")),
            ("Paramters", Some("Parameters")),
            ("Helm", None),
            ("", None),
        ];
        for (name, expected) in cases {
            assert_eq!(nearest(name, sections), expected, "{name}");
        }
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("Ref", "Ref", 0)] {
            assert_eq!(levenshtein(a, b), expected, "{a} {b}");
        }
    }
}
