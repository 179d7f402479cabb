//! Capabilities of a stack that is known by its folder alone, where nobody has written them down.

use deployer::Clients;
use deployer::error::sdk;

use crate::exit::Failure;
use crate::output::Notes;
use crate::project::StackHalf;
use crate::target::Where;

/// Asks CloudFormation which capabilities the template takes, before anything is built or deployed. The local cloud's
/// identities can harm nobody: there they are acknowledged, and that is said. On AWS the user must do so.
///
/// # Errors
/// When the template is refused, or a capability is missing on AWS.
pub async fn settle(
    clients: &Clients,
    target: Where,
    stack: &mut StackHalf,
    notes: &Notes,
) -> Result<(), Failure> {
    let validated =
        clients.cloudformation.validate_template().template_body(&stack.template.text).send().await;
    let validated = validated.map_err(|error| sdk("ValidateTemplate", error))?;
    let reason = validated.capabilities_reason.unwrap_or_default();
    for capability in validated.capabilities.into_iter().flatten() {
        let capability = capability.as_str();
        if is_given(&stack.capabilities, capability) {
            continue;
        }
        if target == Where::Aws {
            return Err(Failure::config(format!(
                "stack {} takes {capability}: {reason}; if that is what you want, repeat with --capabilities {capability}",
                stack.name
            )));
        }
        notes.note(&format!("acknowledged {capability} for the local cloud"));
        stack.capabilities.push(capability.to_owned());
    }
    Ok(())
}

/// The stronger capability covers the weaker.
fn is_given(given: &[String], capability: &str) -> bool {
    let has = |name: &str| given.iter().any(|given| given == name);
    has(capability) || (capability == "CAPABILITY_IAM" && has("CAPABILITY_NAMED_IAM"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_covers_the_weaker() {
        let (iam, named) = ("CAPABILITY_IAM", "CAPABILITY_NAMED_IAM");
        for (given, asked, expected) in [
            (vec![], iam, false),
            (vec![iam], iam, true),
            (vec![named], iam, true),
            (vec![iam], named, false),
        ] {
            let given: Vec<String> = given.into_iter().map(str::to_owned).collect();
            assert_eq!(is_given(&given, asked), expected, "{given:?} {asked}");
        }
    }
}
