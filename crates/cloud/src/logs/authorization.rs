//! What a request is about, as policies see it.
//!
//! As on AWS, what concerns a whole group is evaluated on the ARN `…:log-group:NAME:log-stream:`, so a policy on
//! `…:log-group:NAME:*` allows it and one on `…:log-group:NAME` does not; only the tagging of resources goes by the
//! group's ARN alone ("CloudWatch Logs resources and operations" in the user guide).

use aws_wire::ParsedRequest;

use super::groups::home;
use super::names::Home;
use crate::Ctx;
use crate::ecs::authorization::About;

/// The members that name what a request is about: its groups, then its stream, then any resource.
const MEMBERS: [&str; 6] = [
    "logGroupName",
    "logGroupNames",
    "logGroupIdentifier",
    "logGroupIdentifiers",
    "logStreamName",
    "resourceArn",
];

/// What a request is about, read from its body without decoding the events in it.
pub fn about(ctx: &Ctx, request: &ParsedRequest) -> About {
    let mut texts = request.texts(&MEMBERS);
    let (resource, stream) = (texts.pop(), texts.pop());
    let named = Named {
        groups: texts.concat(),
        stream: stream.and_then(|mut texts| texts.pop()).unwrap_or_default(),
        resource: resource.unwrap_or_default(),
    };
    let resources = resources(home(ctx), &request.operation, named);
    match resources.as_slice() {
        [] => About::anything(),
        _ => About { resources, cluster: None },
    }
}

/// What a request names.
#[derive(Default)]
struct Named {
    groups: Vec<String>,
    stream: String,
    resource: Vec<String>,
}

fn resources(home: Home<'_>, operation: &str, named: Named) -> Vec<String> {
    let stream = match operation {
        "TagResource" | "UntagResource" | "ListTagsForResource" => return named.resource,
        // On AWS, too, these are about nothing in particular.
        "DescribeQueries" | "GetLogRecord" | "GetQueryResults" | "StopQuery" => return Vec::new(),
        "DescribeLogGroups" => return vec![home.stream_arn("", "")],
        "CreateLogStream" | "DeleteLogStream" | "PutLogEvents" | "GetLogEvents" => named.stream,
        _ => String::new(),
    };
    let arn = |group: String| match group.starts_with("arn:") {
        true => format!("{}:log-stream:{stream}", group.trim_end_matches(":*")),
        false => home.stream_arn(&group, &stream),
    };
    named.groups.into_iter().map(arn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_about_groups_and_streams() {
        const GROUP: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/web";
        let home = Home { region: "us-east-1", account: "123456789012" };
        let whole = format!("{GROUP}:log-stream:");
        let one = format!("{GROUP}:log-stream:i-1");
        let starred = format!("{GROUP}:*");
        type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);
        let cases: [Case<'_>; 10] = [
            ("CreateLogGroup", &["/web"], &[&whole]),
            ("CreateLogStream", &["/web"], &[&one]),
            ("PutLogEvents", &["/web"], &[&one]),
            ("GetLogEvents", &[GROUP], &[&one]),
            ("FilterLogEvents", &[&starred], &[&whole]),
            ("StartQuery", &["/web", "/web"], &[&whole, &whole]),
            ("StartLiveTail", &[GROUP], &[&whole]),
            ("TagResource", &[], &[GROUP]),
            ("DescribeLogGroups", &[], &["arn:aws:logs:us-east-1:123456789012:log-group::log-stream:"]),
            ("GetQueryResults", &[], &[]),
        ];
        for (operation, groups, expected) in cases {
            let named = Named {
                groups: groups.iter().map(|group| (*group).to_owned()).collect(),
                stream: "i-1".to_owned(),
                resource: vec![GROUP.to_owned()],
            };
            assert_eq!(resources(home, operation, named), expected, "{operation}");
        }
    }
}
