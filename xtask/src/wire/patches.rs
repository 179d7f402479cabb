//! Corrections to botocore's models. Each says why it is there, and fails if the model no longer needs it.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// A member that a shape lacks.
struct MissingMember {
    service: &'static str,
    shape: &'static str,
    member: &'static str,
    target: &'static str,
}

/// What Amazon's own ECS agent sends beyond the public model (its ecs-agent/api/ecs/model/api/api-2.json and, for the
/// zone, its ecs_client.go): without these it could not join, because unknown members are refused.
const ECS_AGENT: &[MissingMember] = &[
    MissingMember {
        service: "ecs",
        shape: "DiscoverPollEndpointRequest",
        member: "zoneId",
        target: "String",
    },
    MissingMember {
        service: "ecs",
        shape: "RegisterContainerInstanceRequest",
        member: "clientToken",
        target: "String",
    },
    MissingMember { service: "ecs", shape: "ContainerInstance", member: "clientToken", target: "String" },
    MissingMember {
        service: "ecs",
        shape: "ContainerStateChange",
        member: "managedAgents",
        target: "ManagedAgentStateChanges",
    },
];

/// Applies the patches for `service` to its pruned model.
pub fn apply(service: &str, model: &mut Value) -> Result<()> {
    ECS_AGENT.iter().filter(|patch| patch.service == service).try_for_each(|patch| patch.apply(model))
}

impl MissingMember {
    fn apply(&self, model: &mut Value) -> Result<()> {
        let Self { shape, member, target, .. } = self;
        let shapes = model["shapes"].as_object_mut().context("the model has no shapes")?;
        ensure!(
            shapes.contains_key(*target),
            "the patch of {shape} needs the shape {target}, which is not there"
        );
        let Some(patched) = shapes.get_mut(*shape) else {
            // The operation that uses the shape is not selected.
            return Ok(());
        };
        let members =
            patched["members"].as_object_mut().with_context(|| format!("{shape} has no members"))?;
        ensure!(!members.contains_key(*member), "{shape} has {member} by now; remove the patch");
        members.insert((*member).to_owned(), json!({"shape": target}));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::MissingMember;

    const PATCH: MissingMember = MissingMember { service: "s", shape: "A", member: "m", target: "String" };

    #[test]
    fn adds_what_is_missing_and_refuses_what_is_there() {
        let mut model = json!({"shapes": {"A": {"members": {}}, "String": {"type": "string"}}});
        PATCH.apply(&mut model).unwrap();
        assert_eq!(model["shapes"]["A"]["members"]["m"]["shape"], "String");
        assert_eq!(PATCH.apply(&mut model).unwrap_err().to_string(), "A has m by now; remove the patch");
    }
}
