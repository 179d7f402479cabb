//! The managed policies of AWS's own that container instances use, as the IAM console shows them.

/// A policy that exists in every account.
pub struct AwsPolicy {
    /// Its ARN.
    pub arn: &'static str,
    /// Its document.
    pub document: &'static str,
}

/// The ones that this cloud has. Attaching another is refused by name.
pub static POLICIES: &[AwsPolicy] = &[
    AwsPolicy {
        arn: "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role",
        document: r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["ec2:DescribeTags", "ecs:CreateCluster",
                "ecs:DeregisterContainerInstance", "ecs:DiscoverPollEndpoint", "ecs:Poll",
                "ecs:RegisterContainerInstance", "ecs:StartTelemetrySession",
                "ecs:UpdateContainerInstancesState", "ecs:Submit*", "ecr:GetAuthorizationToken",
                "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage",
                "logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"},
            {"Effect": "Allow", "Action": "ecs:TagResource", "Resource": "*", "Condition": {
                "StringEquals": {"ecs:CreateAction": ["CreateCluster", "RegisterContainerInstance"]}}},
            {"Effect": "Allow", "Action": "ecs:ListTagsForResource", "Resource": [
                "arn:aws:ecs:*:*:task/*/*", "arn:aws:ecs:*:*:container-instance/*/*"]}]}"#,
    },
    AwsPolicy {
        arn: "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy",
        document: r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["cloudwatch:PutMetricData", "ec2:DescribeVolumes", "ec2:DescribeTags",
                "logs:PutLogEvents", "logs:PutRetentionPolicy", "logs:DescribeLogStreams",
                "logs:DescribeLogGroups", "logs:CreateLogStream", "logs:CreateLogGroup",
                "xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules",
                "xray:GetSamplingTargets", "xray:GetSamplingStatisticSummaries"], "Resource": "*"},
            {"Effect": "Allow", "Action": "ssm:GetParameter",
                "Resource": "arn:aws:ssm:*:*:parameter/AmazonCloudWatch-*"}]}"#,
    },
    AwsPolicy {
        arn: "arn:aws:iam::aws:policy/AdministratorAccess",
        document: r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#,
    },
];

/// Finds one by its ARN.
pub fn find(arn: &str) -> Option<&'static AwsPolicy> {
    POLICIES.iter().find(|policy| policy.arn == arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_are_policies() {
        for policy in POLICIES {
            iam_policy::PolicyDocument::parse(policy.document, iam_policy::PolicyKind::Identity).unwrap();
        }
    }
}
