//! Why a build of an AMI stops.

use std::fmt;
use std::time::Duration;

use crate::aws::ApiError;
use crate::provision::ProvisionError;
use crate::ssh::ConnectError;

/// Why a step failed.
#[derive(Debug)]
pub enum Error {
    /// The API did not do what was asked.
    Api {
        /// What was attempted, as Packer says it: `Error launching source instance`.
        attempt: String,
        /// What the API says.
        source: ApiError,
    },
    /// Something that the template refers to is not there, or not as it has to be.
    Unfit(String),
    /// Waiting took longer than it may.
    TimedOut {
        /// What was waited for: `instance i-0123 to become ready`.
        what: String,
        /// How long.
        waited: Duration,
        /// What was seen last.
        last: String,
    },
    /// The instance ended before it was built.
    Died {
        /// The instance.
        instance: String,
        /// The state that it is in.
        state: String,
        /// EC2's reason.
        reason: String,
        /// The end of its console; empty when there is none.
        console: String,
    },
    /// An image, or a copy of it, was not made.
    ImageFailed {
        /// The image.
        ami: String,
        /// Where.
        region: String,
        /// EC2's reason.
        reason: String,
    },
    /// No connection.
    Connect {
        /// Why.
        source: ConnectError,
        /// The end of the instance's console; empty when there is none or it would tell nothing.
        console: String,
    },
    /// A provisioner failed.
    Provision(ProvisionError),
    /// A provisioner failed because the instance ended under it.
    DiedMeanwhile {
        /// What the provisioner met.
        provision: Box<ProvisionError>,
        /// How the instance ended.
        instance: Box<Error>,
    },
    /// An expression in a late option failed.
    Template(String),
    /// A file of ours could not be read or written.
    File {
        /// What was attempted.
        attempt: String,
        /// Why.
        source: std::io::Error,
    },
    /// A step was taken before the one that makes what it needs.
    OutOfOrder(&'static str),
    /// Stopped by the user.
    Cancelled,
}

impl Error {
    /// An API error that happened during `attempt`, e.g. `Error querying AMI`.
    pub(super) fn api(attempt: impl Into<String>) -> impl FnOnce(ApiError) -> Self {
        move |source| Self::Api { attempt: attempt.into(), source }
    }

    /// Expressions of the template that failed.
    pub(super) fn template(errors: impl Into<packer_template::Errors>) -> Self {
        Self::Template(errors.into().summary())
    }

    /// AWS's error code, if a service refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Api { source, .. } => source.code(),
            _ => None,
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Api { source, .. } => Some(source),
            Self::Connect { source, .. } => Some(source),
            Self::Provision(source) => Some(source),
            Self::DiedMeanwhile { provision, .. } => Some(provision.as_ref()),
            Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api { attempt, source } => {
                write!(f, "{attempt}: {source}")?;
                if let Some(advice) = source.code().and_then(advice) {
                    write!(f, "\n{advice}")?;
                }
                Ok(())
            }
            Self::Unfit(what) | Self::Template(what) => f.write_str(what),
            Self::TimedOut { what, waited, last } => write!(
                f,
                "Error waiting for {what}: not after {} s (last seen: {last})\n\
                 Wait longer with \"aws_polling\": {{\"max_attempts\": …}} or AWS_MAX_ATTEMPTS.",
                waited.as_secs()
            ),
            Self::Died { instance, state, reason, console } => {
                write!(f, "The instance {instance} is {state}: {reason}")?;
                if console.is_empty() {
                    return f.write_str("\nIts console says nothing.");
                }
                write!(f, "\nThe end of its console:\n{console}")
            }
            Self::ImageFailed { ami, region, reason } => {
                write!(f, "Error waiting for AMI: {ami} in {region} failed: {reason}")
            }
            Self::Connect { source, console } => {
                write!(f, "Error waiting for SSH: {source}")?;
                if console.is_empty() {
                    return Ok(());
                }
                write!(f, "\nThe end of the instance's console:\n{console}")
            }
            Self::Provision(source) => write!(f, "{source}"),
            Self::DiedMeanwhile { provision, instance } => write!(f, "{provision}\n{instance}"),
            Self::File { attempt, source } => write!(f, "{attempt}: {source}"),
            Self::OutOfOrder(what) => write!(f, "the build does not have {what} yet"),
            Self::Cancelled => f.write_str("Build was cancelled."),
        }
    }
}

/// What to do about AWS's error codes.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "AuthFailure" | "InvalidClientTokenId" | "SignatureDoesNotMatch" | "UnrecognizedClientException" => {
            "The credentials are not known there. They are the template's access_key and secret_key if it has them \
             (often filled from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), otherwise those of the target."
        }
        "ExpiredToken" | "RequestExpired" | "ExpiredTokenException" => {
            "The session's credentials are over: log in again. If they are new, look at this machine's clock."
        }
        "UnauthorizedOperation" | "AccessDenied" | "AccessDeniedException" => {
            "The caller's policies do not allow the operation: add it to them."
        }
        "InvalidAMIID.NotFound" | "InvalidAMIID.Malformed" | "InvalidAMIID.Unavailable" => {
            "Check `source_ami` and `region`: an image has another id in each region. \
             `aws ec2 describe-images --owners self amazon` lists what there is."
        }
        "InstanceLimitExceeded" | "VcpuLimitExceeded" | "MaxSpotInstanceCountExceeded" => {
            "The account's quota of instances is used up: stop some, take a smaller `instance_type`, or ask for a \
             higher quota (Service Quotas, \"Running On-Demand instances\")."
        }
        "SecurityGroupLimitExceeded" | "RulesPerSecurityGroupLimitExceeded" => {
            "The VPC's quota of security groups is used up: name an existing one by `security_group_id`."
        }
        "VolumeLimitExceeded" | "MaxIOPSLimitExceeded" | "SnapshotLimitExceeded" => {
            "The account's quota of EBS storage is used up: delete volumes or snapshots, or ask for more."
        }
        "InsufficientInstanceCapacity" | "InsufficientHostCapacity" => {
            "AWS has no such instance free there now: try again, another `availability_zone`, or another \
             `instance_type`."
        }
        "VPCIdNotSpecified" | "MissingInput" => {
            "The account has no default VPC: name a `subnet_id` (or `subnet_filter`) in the template."
        }
        "InvalidSubnetID.NotFound" | "InvalidVpcID.NotFound" | "InvalidGroup.NotFound" => {
            "Check the id and `region` in the template: each belongs to one region."
        }
        "InvalidKeyPair.NotFound" => {
            "Check `ssh_keypair_name` and `region`: a key pair belongs to one region."
        }
        "OptInRequired" => "Accept the image's terms in AWS Marketplace first.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(code: &str) -> Error {
        Error::api("Error launching source instance")(ApiError::Refused {
            operation: "RunInstances",
            code: code.to_owned(),
            message: "no".to_owned(),
        })
    }

    #[test]
    fn an_api_error_names_attempt_operation_code_and_what_to_do() {
        let text = refused("VcpuLimitExceeded").to_string();
        assert!(text.starts_with("Error launching source instance: VcpuLimitExceeded: no (RunInstances)\n"));
        assert!(text.contains("higher quota"));
    }

    #[test]
    fn an_unknown_code_comes_without_advice() {
        assert_eq!(refused("Odd").to_string(), "Error launching source instance: Odd: no (RunInstances)");
    }

    #[test]
    fn a_dead_instance_shows_its_console() {
        let died = |console: &str| Error::Died {
            instance: "i-1".to_owned(),
            state: "terminated".to_owned(),
            reason: "Client.InternalError".to_owned(),
            console: console.to_owned(),
        };
        assert!(died("panic").to_string().ends_with("The end of its console:\npanic"));
        assert!(died("").to_string().ends_with("Its console says nothing."));
    }
}
