//! Answers kept until the store changes, for clients that ask the same again and again while they wait.
//!
//! Making an answer about 100 instances takes several times as long as all the rest of a request. Kept are only
//! answers of the operations in [`KEPT`], which follow from the store and the request alone, so an answer is right
//! for as long as the store's version is the one that it was made from. Every request is still authenticated and
//! authorised before it comes here, and finds its own request id in its answer.

use std::collections::HashMap;

use aws_wire::{Encoded, ParsedRequest, ResponseFormat, Service};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::context::{Caller, Ctx};

/// The operations whose answers may be kept: they only read the store. Not among them is whatever looks at the
/// clock, at images (which are files) or at machines.
const KEPT: &[(Service, &str)] = &[
    (Service::Ec2, "DescribeInstances"),
    (Service::Ec2, "DescribeNetworkInterfaces"),
    (Service::Ec2, "DescribeSecurityGroups"),
    (Service::Ec2, "DescribeVolumes"),
];

/// The most that is kept, in bytes of answers and of the requests they belong to.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What an answer depends on, besides the store.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    service: Service,
    operation: String,
    format: ResponseFormat,
    region: String,
    caller: Caller,
    /// The parameters as they were sent.
    query: String,
    body: Vec<u8>,
}

impl Key {
    /// The key of a request, if its answer may be kept.
    pub fn of(ctx: &Ctx, request: &ParsedRequest, query: Option<&str>, body: &[u8]) -> Option<Self> {
        let kept =
            KEPT.iter().any(|(service, name)| *service == request.service && *name == request.operation);
        kept.then(|| Self {
            service: request.service,
            operation: request.operation.clone(),
            format: request.format,
            region: ctx.region.to_string(),
            caller: ctx.caller.clone(),
            query: query.unwrap_or_default().to_owned(),
            body: body.to_vec(),
        })
    }

    fn bytes(&self) -> usize {
        self.operation.len() + self.region.len() + self.query.len() + self.body.len()
    }
}

/// An answer, cut where its request id stood.
struct Kept {
    content_type: &'static str,
    before_id: Bytes,
    after_id: Bytes,
}

/// The answers made from one version of the store.
#[derive(Default)]
struct Shelf {
    version: u64,
    bytes: usize,
    answers: HashMap<Key, Kept>,
}

/// The kept answers.
#[derive(Default)]
pub struct Answers(Mutex<Shelf>);

impl Answers {
    /// The answer kept for `key`, with the id of this request in it, if it was made from the store's `version`.
    pub fn get(&self, version: u64, key: &Key, request_id: &str) -> Option<Encoded> {
        let (content_type, before_id, after_id) = {
            let shelf = self.0.lock();
            let kept = shelf.answers.get(key).filter(|_| shelf.version == version)?;
            (kept.content_type, kept.before_id.clone(), kept.after_id.clone())
        };
        let mut body = Vec::with_capacity(before_id.len() + request_id.len() + after_id.len());
        body.extend_from_slice(&before_id);
        body.extend_from_slice(request_id.as_bytes());
        body.extend_from_slice(&after_id);
        Some(Encoded {
            status: 200,
            content_type,
            headers: vec![(REQUEST_ID, request_id.to_owned())],
            body: body.into(),
        })
    }

    /// Keeps a successful answer. `version` is the store's from before the answer was made: had the store changed
    /// since, the answer could be of either version, and is not served any more.
    pub fn put(&self, version: u64, key: Key, request_id: &str, answer: &Encoded) {
        let Some(kept) = cut(answer, request_id) else { return };
        let bytes = key.bytes() + answer.body.len();
        if bytes > MAX_BYTES {
            return;
        }
        let mut shelf = self.0.lock();
        if shelf.version > version {
            return;
        }
        if shelf.version < version || shelf.bytes + bytes > MAX_BYTES {
            *shelf = Shelf { version, ..Shelf::default() };
        }
        if shelf.answers.insert(key, kept).is_none() {
            shelf.bytes += bytes;
        }
    }
}

/// The header that repeats the request's id.
const REQUEST_ID: &str = "x-amzn-requestid";

/// Cuts the request id out of an answer. An answer that is not as expected (an error, without the id, with
/// headers of its own) is not kept.
fn cut(answer: &Encoded, request_id: &str) -> Option<Kept> {
    let plain = answer.status == 200 && matches!(answer.headers.as_slice(), [(REQUEST_ID, _)]);
    if !plain || request_id.is_empty() {
        return None;
    }
    let start = answer.body.windows(request_id.len()).position(|window| window == request_id.as_bytes())?;
    let end = start + request_id.len();
    Some(Kept {
        content_type: answer.content_type,
        before_id: answer.body.slice(..start),
        after_id: answer.body.slice(end..),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(caller: Caller, body: &'static str) -> Key {
        Key {
            service: Service::Ec2,
            operation: "DescribeInstances".to_owned(),
            format: ResponseFormat::Ec2Xml,
            region: "us-east-1".to_owned(),
            caller,
            query: String::new(),
            body: body.as_bytes().to_vec(),
        }
    }

    fn role(name: &str) -> Caller {
        Caller::Role { role: name.to_owned(), session: "s".to_owned() }
    }

    fn answer(id: &str, rest: &str) -> Encoded {
        Encoded {
            status: 200,
            content_type: "text/xml",
            headers: vec![(REQUEST_ID, id.to_owned())],
            body: format!("<a><requestId>{id}</requestId>{rest}</a>").into(),
        }
    }

    #[test]
    fn an_answer_is_given_again_with_the_id_of_its_request() {
        let answers = Answers::default();
        answers.put(7, key(Caller::Root, "x"), "id-1", &answer("id-1", "<b/>"));
        assert_eq!(answers.get(7, &key(Caller::Root, "x"), "id-22"), Some(answer("id-22", "<b/>")));
    }

    #[test]
    fn an_answer_is_only_for_its_store_request_region_and_caller() {
        let answers = Answers::default();
        let mine = key(role("web"), "x");
        answers.put(7, mine.clone(), "id", &answer("id", ""));
        assert!(answers.get(7, &mine, "id").is_some());
        let elsewhere = Key { region: "eu-west-1".to_owned(), ..mine.clone() };
        let json = Key { format: ResponseFormat::QueryJson, ..mine.clone() };
        let by_query = Key { query: "x".to_owned(), ..mine.clone() };
        let cases = [
            ("a later store", 8, mine.clone()),
            ("an earlier store", 6, mine),
            ("another caller", 7, key(role("db"), "x")),
            ("the account", 7, key(Caller::Root, "x")),
            ("other parameters", 7, key(role("web"), "y")),
            ("other parameters in the query", 7, by_query),
            ("another region", 7, elsewhere),
            ("another format", 7, json),
        ];
        for (case, version, key) in cases {
            assert!(answers.get(version, &key, "id").is_none(), "{case}");
        }
    }

    #[test]
    fn what_was_made_from_an_older_store_replaces_nothing() {
        let answers = Answers::default();
        answers.put(8, key(Caller::Root, "x"), "id", &answer("id", "new"));
        answers.put(7, key(Caller::Root, "x"), "id", &answer("id", "old"));
        assert_eq!(answers.get(8, &key(Caller::Root, "x"), "id"), Some(answer("id", "new")));
        assert!(answers.get(7, &key(Caller::Root, "x"), "id").is_none());
    }

    #[test]
    fn refusals_and_answers_without_their_id_are_not_kept() {
        let answers = Answers::default();
        let refused = Encoded { status: 400, ..answer("id", "") };
        let other_id = answer("other", "");
        let more = Encoded {
            headers: vec![(REQUEST_ID, "id".to_owned()), ("x", String::new())],
            ..answer("id", "")
        };
        for (case, answer) in [("a refusal", refused), ("no id", other_id), ("a header of its own", more)] {
            answers.put(1, key(Caller::Root, "x"), "id", &answer);
            assert!(answers.get(1, &key(Caller::Root, "x"), "id").is_none(), "{case}");
        }
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let answers = Answers::default();
        let third = "x".repeat(MAX_BYTES / 3);
        for body in ["a", "b", "c", "d"] {
            answers.put(1, key(Caller::Root, body), "id", &answer("id", &third));
            assert!(answers.get(1, &key(Caller::Root, body), "id").is_some(), "the latest is kept");
            assert!(answers.0.lock().bytes <= MAX_BYTES);
        }
        let huge = "x".repeat(MAX_BYTES);
        answers.put(1, key(Caller::Root, "e"), "id", &answer("id", &huge));
        assert!(answers.get(1, &key(Caller::Root, "e"), "id").is_none());
    }
}
