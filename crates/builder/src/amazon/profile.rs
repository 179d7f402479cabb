//! The role that the instance has while it is built.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_iam::Client;
use packer_template::config::RunConfig;

use super::error::Error;
use super::polling::Seen;
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Leftover, Outcome, Scope, Step};
use crate::ui::Ui;

/// Lets EC2 hand the role to instances.
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// How long IAM may take to show what it has made.
const TO_EXIST: Duration = Duration::from_secs(60);

/// Uses the template's instance profile, or makes a temporary one with its policy.
pub(super) struct InstanceProfile<'a> {
    run: &'a RunConfig,
    made: Made,
}

/// What to remove: profile, role and policy have one name.
#[derive(Default)]
struct Made {
    name: String,
    profile: bool,
    role: bool,
    policy: bool,
    attached: bool,
}

impl<'a> InstanceProfile<'a> {
    pub fn new(run: &'a RunConfig) -> Self {
        Self { run, made: Made::default() }
    }

    async fn make(&mut self, state: &State<'a>, policy: &str, scope: Scope<'_>) -> Result<String, Error> {
        let (iam, ui) = (&state.session.iam, scope.ui);
        let name = format!("packer-{}", uuid::Uuid::new_v4());
        self.made.name.clone_from(&name);

        ui.say(&format!("Creating temporary instance profile for this instance: {name}"));
        let answer = iam.create_instance_profile().instance_profile_name(&name).send().await;
        answer.map_err(|error| failed("CreateInstanceProfile", error))?;
        self.made.profile = true;
        let look = || async {
            let answer = iam.get_instance_profile().instance_profile_name(&name).send().await;
            there(answer.map_err(|error| ApiError::of("GetInstanceProfile", error)))
        };
        let what = format!("instance profile {name} to exist");
        state.polling.until(TO_EXIST, &what, scope.cancel, look).await?;

        ui.say(&format!("Creating temporary role for this instance: {name}"));
        let answer = iam
            .create_role()
            .role_name(&name)
            .description("Temporary role for Packer")
            .assume_role_policy_document(TRUST)
            .send()
            .await;
        answer.map_err(|error| failed("CreateRole", error))?;
        self.made.role = true;
        let look = || async {
            let answer = iam.get_role().role_name(&name).send().await;
            there(answer.map_err(|error| ApiError::of("GetRole", error)))
        };
        state.polling.until(TO_EXIST, &format!("role {name} to exist"), scope.cancel, look).await?;

        ui.say(&format!("Attaching policy to the temporary role: {name}"));
        let request = iam.put_role_policy().role_name(&name).policy_name(&name).policy_document(policy);
        request.send().await.map_err(|error| failed("PutRolePolicy", error))?;
        self.made.policy = true;
        let request = iam.add_role_to_instance_profile().role_name(&name).instance_profile_name(&name);
        request.send().await.map_err(|error| failed("AddRoleToInstanceProfile", error))?;
        self.made.attached = true;
        Ok(name)
    }
}

fn failed<E>(operation: &'static str, error: E) -> Error
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error,
{
    Error::api("Error creating temporary instance profile")(ApiError::of(operation, error))
}

fn there<T>(answer: Result<T, ApiError>) -> Result<Seen<()>, Error> {
    match answer {
        Ok(_) => Ok(Seen::There(())),
        Err(error) if error.is_not_found() => Ok(Seen::NotYet("not there".to_owned())),
        Err(error) => Err(Error::api("Error creating temporary instance profile")(error)),
    }
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for InstanceProfile<'a> {
    fn name(&self) -> &'static str {
        "StepIamInstanceProfile"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        if let Some(name) = &self.run.iam_instance_profile {
            if !self.run.skip_profile_validation {
                let answer =
                    state.session.iam.get_instance_profile().instance_profile_name(name).send().await;
                answer
                    .map_err(|error| ApiError::of("GetInstanceProfile", error))
                    .map_err(Error::api("Couldn't find specified instance profile"))?;
            }
            state.instance_profile = Some(name.clone());
        } else if let Some(policy) = &self.run.temporary_iam_instance_profile_policy_document {
            state.instance_profile = Some(self.make(state, policy, scope).await?);
        }
        Ok(())
    }

    async fn cleanup(&mut self, state: &mut State<'a>, ui: &dyn Ui, _outcome: Outcome) -> Vec<Leftover> {
        remove(&state.session.iam, std::mem::take(&mut self.made), ui).await
    }
}

/// Removes what was made. IAM wants this order: a role goes only without policies and out of its profile.
async fn remove(iam: &Client, made: Made, ui: &dyn Ui) -> Vec<Leftover> {
    let name = &made.name;
    let mut leftovers = Vec::new();
    let mut note = |what: &str, done: Result<(), ApiError>, remove: String| match done {
        Err(error) if !error.is_not_found() => {
            leftovers.push(Leftover { what: format!("{what} {name}"), why: error.to_string(), remove });
        }
        _ => {}
    };
    if made.attached {
        ui.say("Detaching temporary role from instance profile...");
        let request = iam.remove_role_from_instance_profile().instance_profile_name(name).role_name(name);
        let done = request.send().await.map(drop);
        note(
            "role in instance profile",
            done.map_err(|error| ApiError::of("RemoveRoleFromInstanceProfile", error)),
            format!(
                "aws iam remove-role-from-instance-profile --instance-profile-name {name} --role-name {name}"
            ),
        );
    }
    if made.policy {
        ui.say("Removing policy from temporary role...");
        let done = iam.delete_role_policy().role_name(name).policy_name(name).send().await.map(drop);
        note(
            "policy of role",
            done.map_err(|error| ApiError::of("DeleteRolePolicy", error)),
            format!("aws iam delete-role-policy --role-name {name} --policy-name {name}"),
        );
    }
    if made.role {
        ui.say("Deleting temporary role...");
        let done = iam.delete_role().role_name(name).send().await.map(drop);
        note(
            "role",
            done.map_err(|error| ApiError::of("DeleteRole", error)),
            format!("aws iam delete-role --role-name {name}"),
        );
    }
    if made.profile {
        ui.say("Deleting temporary instance profile...");
        let done = iam.delete_instance_profile().instance_profile_name(name).send().await.map(drop);
        note(
            "instance profile",
            done.map_err(|error| ApiError::of("DeleteInstanceProfile", error)),
            format!("aws iam delete-instance-profile --instance-profile-name {name}"),
        );
    }
    leftovers
}
