//! Pseudo parameters: what a template may `Ref` without declaring it.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// The value of `AWS::NoValue`, `Ref` to which removes the property it stands for.
pub const NO_VALUE: &str = "AWS::NoValue";

/// The names of all pseudo parameters.
pub const NAMES: [&str; 8] = [
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
];

/// The pseudo parameters' values for one stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PseudoParameters {
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`.
    pub account_id: String,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::StackId`: the stack's ARN.
    pub stack_id: String,
    /// `AWS::NotificationARNs`.
    pub notification_arns: Vec<String>,
}

impl PseudoParameters {
    /// `AWS::Partition`, which follows from the region.
    pub fn partition(&self) -> &'static str {
        match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// `AWS::URLSuffix`, which follows from the partition.
    pub fn url_suffix(&self) -> &'static str {
        if self.partition() == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// The value of the pseudo parameter `name`; `None` for `AWS::NoValue` and for names that are none.
    pub fn get(&self, name: &str) -> Option<Json> {
        Some(match name {
            "AWS::Region" => json!(self.region),
            "AWS::AccountId" => json!(self.account_id),
            "AWS::StackName" => json!(self.stack_name),
            "AWS::StackId" => json!(self.stack_id),
            "AWS::NotificationARNs" => json!(self.notification_arns),
            "AWS::Partition" => json!(self.partition()),
            "AWS::URLSuffix" => json!(self.url_suffix()),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_follow_regions() {
        for (region, partition, suffix) in [
            ("us-east-1", "aws", "amazonaws.com"),
            ("cn-north-1", "aws-cn", "amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "amazonaws.com"),
        ] {
            let pseudo = PseudoParameters { region: region.into(), ..Default::default() };
            assert_eq!((pseudo.partition(), pseudo.url_suffix()), (partition, suffix), "{region}");
        }
    }
}
