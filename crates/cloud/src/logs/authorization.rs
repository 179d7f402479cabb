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

/// What a request is about, read from its body without decoding the events in it.
pub fn about(ctx: &Ctx, request: &ParsedRequest) -> About {
    let resources = resources(home(ctx), &request.operation, |name| request.texts(name));
    match resources.as_slice() {
        [] => About::anything(),
        _ => About { resources, cluster: None },
    }
}

fn resources(home: Home<'_>, operation: &str, texts: impl Fn(&str) -> Vec<String>) -> Vec<String> {
    match operation {
        "TagResource" | "UntagResource" | "ListTagsForResource" => return texts("resourceArn"),
        // On AWS, too, these are about nothing in particular.
        "DescribeQueries" | "GetQueryResults" | "StopQuery" => return Vec::new(),
        "DescribeLogGroups" => return vec![home.stream_arn("", "")],
        _ => {}
    }
    let stream = match operation {
        "CreateLogStream" | "DeleteLogStream" | "PutLogEvents" | "GetLogEvents" => {
            texts("logStreamName").pop().unwrap_or_default()
        }
        _ => String::new(),
    };
    let members = ["logGroupName", "logGroupNames", "logGroupIdentifier", "logGroupIdentifiers"];
    let named = members.iter().flat_map(|member| texts(member));
    named
        .map(|name| match name.starts_with("arn:") {
            true => format!("{}:log-stream:{stream}", name.trim_end_matches(":*")),
            false => home.stream_arn(&name, &stream),
        })
        .collect()
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
        type Members<'a> = &'a [(&'a str, &'a str)];
        let cases: [(&str, Members<'_>, &[&str]); 10] = [
            ("CreateLogGroup", &[("logGroupName", "/web")], &[&whole]),
            ("CreateLogStream", &[("logGroupName", "/web"), ("logStreamName", "i-1")], &[&one]),
            ("PutLogEvents", &[("logGroupName", "/web"), ("logStreamName", "i-1")], &[&one]),
            ("GetLogEvents", &[("logGroupIdentifier", GROUP), ("logStreamName", "i-1")], &[&one]),
            ("FilterLogEvents", &[("logGroupIdentifier", &starred)], &[&whole]),
            ("StartQuery", &[("logGroupNames", "/web"), ("logGroupNames", "/web")], &[&whole, &whole]),
            ("StartLiveTail", &[("logGroupIdentifiers", GROUP)], &[&whole]),
            ("TagResource", &[("resourceArn", GROUP)], &[GROUP]),
            ("DescribeLogGroups", &[], &["arn:aws:logs:us-east-1:123456789012:log-group::log-stream:"]),
            ("GetQueryResults", &[("queryId", "q")], &[]),
        ];
        for (operation, members, expected) in cases {
            let texts = |name: &str| {
                members
                    .iter()
                    .filter(|(member, _)| *member == name)
                    .map(|(_, text)| (*text).to_owned())
                    .collect()
            };
            assert_eq!(resources(home, operation, texts), expected, "{operation}");
        }
    }
}
