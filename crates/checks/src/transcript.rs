//! What a machine printed, taken apart.

use crate::answer::{Answer, Answers, Question};
use crate::probe::LIMIT;

/// The head of an answer: `MARK NUMBER EXIT STDOUT-BYTES STDERR-BYTES`.
struct Head {
    number: usize,
    exit: i32,
    out: usize,
    err: usize,
}

impl Head {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let head = Self {
            number: words.next()?.parse().ok()?,
            exit: words.next()?.parse().ok()?,
            out: words.next()?.parse().ok()?,
            err: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(head)
    }
}

/// Reads the answers to `questions`. Whatever stands before the first head (a greeting of a login script) is passed
/// over; the sizes in the heads make it unimportant what is in an answer.
pub(crate) fn read(questions: &[Question], mark: &str, output: &[u8], ended: &str) -> Answers {
    let mut answers = Answers::default();
    let mut rest = output;
    let lead = format!("\n{mark} ");
    while let Some(at) = find(rest, lead.as_bytes()) {
        rest = &rest[at + lead.len()..];
        let Some(end) = rest.iter().position(|&byte| byte == b'\n') else { break };
        let line = String::from_utf8_lossy(&rest[..end]);
        if line == "end" {
            return answers;
        }
        let Some(head) = Head::parse(&line) else { break };
        let Some(question) = questions.get(head.number) else { break };
        let (out, err) = (head.out.min(LIMIT), head.err.min(LIMIT));
        let Some(stdout) = rest.get(end + 1..end + 1 + out) else { break };
        let Some(stderr) = rest.get(end + 1 + out..end + 1 + out + err) else { break };
        let answer = Answer {
            exit: head.exit,
            stdout: String::from_utf8_lossy(stdout).into_owned(),
            stderr: String::from_utf8_lossy(stderr).into_owned(),
            too_long: (head.out > LIMIT).then_some(head.out as u64),
        };
        answers.insert(question.clone(), answer);
        rest = &rest[end + 1 + out + err..];
    }
    answers.ended = Some(ended.to_owned());
    answers
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
