//! Patterns: `*` and `?`, and policy variables.

use crate::context::Context;

/// A piece of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// This character.
    Character(char),
    /// `?`: any one character.
    One,
    /// `*`: any characters, also none.
    Many,
}

/// A pattern with its variables replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Token>);

impl Pattern {
    /// A pattern without variables.
    pub(crate) fn plain(text: &str) -> Self {
        Self(text.chars().map(token).collect())
    }

    /// A pattern whose `${…}` are replaced by values, in which `*` and `?` are plain characters. `${*}`, `${?}` and
    /// `${$}` stand for those characters. `None` when a variable has no value and no default.
    pub(crate) fn with_variables(text: &str, context: &Context) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((variable, tail)) = after.split_once('}') else { break };
            tokens.extend(before.chars().map(token));
            tokens.extend(value(variable, context)?.chars().map(Token::Character));
            rest = tail;
        }
        tokens.extend(rest.chars().map(token));
        Some(Self(tokens))
    }

    /// A text that is compared as it is: `*` and `?` are plain characters.
    pub(crate) fn literal(&self) -> String {
        let character = |token: &Token| match token {
            Token::Character(character) => *character,
            Token::One => '?',
            Token::Many => '*',
        };
        self.0.iter().map(character).collect()
    }

    /// Cuts the pattern at each of the first `parts - 1` colons.
    pub(crate) fn split(&self, parts: usize) -> Vec<Self> {
        self.0
            .splitn(parts, |token| *token == Token::Character(':'))
            .map(|part| Self(part.to_vec()))
            .collect()
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.matches_by(text, |a, b| a == b)
    }

    pub(crate) fn matches_ignoring_case(&self, text: &str) -> bool {
        self.matches_by(text, |a, b| a.to_lowercase().eq(b.to_lowercase()))
    }

    /// Greedy matching that goes back to the last `*` only, so it takes at most length times length steps.
    fn matches_by(&self, text: &str, same: impl Fn(char, char) -> bool) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut in_text) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while in_text < text.len() {
            match self.0.get(at) {
                Some(Token::Many) => {
                    star = Some((at, in_text));
                    at += 1;
                    continue;
                }
                Some(Token::One) => {
                    (at, in_text) = (at + 1, in_text + 1);
                    continue;
                }
                Some(Token::Character(character)) if same(*character, text[in_text]) => {
                    (at, in_text) = (at + 1, in_text + 1);
                    continue;
                }
                _ => {}
            }
            let Some((star_at, taken)) = star else { return false };
            star = Some((star_at, taken + 1));
            (at, in_text) = (star_at + 1, taken + 1);
        }
        self.0[at..].iter().all(|token| *token == Token::Many)
    }
}

fn token(character: char) -> Token {
    match character {
        '*' => Token::Many,
        '?' => Token::One,
        other => Token::Character(other),
    }
}

/// What `${variable}` stands for. A default is written `${key, 'text'}`.
fn value(variable: &str, context: &Context) -> Option<String> {
    if let "*" | "?" | "$" = variable {
        return Some(variable.to_owned());
    }
    let (key, default) = match variable.split_once(',') {
        Some((key, default)) => {
            (key, default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\'')))
        }
        None => (variable, None),
    };
    context.single(key.trim()).or(default).map(str::to_owned)
}

/// Whether `text` matches a pattern of `*` and `?`.
pub fn glob(pattern: &str, text: &str) -> bool {
    Pattern::plain(pattern).matches(text)
}

/// Whether `text` matches a pattern of `*` and `?`, without regard to case, as action names do.
pub fn glob_ignore_case(pattern: &str, text: &str) -> bool {
    Pattern::plain(pattern).matches_ignoring_case(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let cases = [
            ("*", "", true),
            ("*", "anything:at/all", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a*c", "ac", true),
            ("a*c", "abcbc", true),
            ("a*c", "abcb", false),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b*", "xxbxxaxx", false),
            ("abc", "ABC", false),
            ("ecs:Submit*", "ecs:SubmitTaskStateChange", true),
            ("ecs:Submit*", "ecs:Poll", false),
            ("", "", true),
            ("", "a", false),
            ("**", "é", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
        assert!(glob_ignore_case("ECS:submit*", "ecs:SubmitX"));
    }

    #[test]
    fn variables() {
        let context = Context::default().with("aws:UserName", "ann*").with("aws:PrincipalTag/team", "red");
        let cases = [
            ("home/${aws:username}/x", "home/ann*/x", true),
            ("home/${aws:username}/x", "home/annabel/x", false),
            ("home/${aws:username}/*", "home/ann*/y/z", true),
            ("${*}", "*", true),
            ("${*}", "a", false),
            ("${$}{a}", "${a}", true),
            ("${?}", "?", true),
            ("${aws:PrincipalTag/team, 'none'}", "red", true),
            ("${aws:PrincipalTag/unit, 'none'}", "none", true),
            ("${unfinished", "${unfinished", true),
        ];
        for (pattern, text, expected) in cases {
            let matched = Pattern::with_variables(pattern, &context).unwrap().matches(text);
            assert_eq!(matched, expected, "{pattern} {text}");
        }
        assert_eq!(Pattern::with_variables("${aws:nothing}", &context), None);
    }
}
