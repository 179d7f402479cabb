//! Refusing by name what a request asks for and this cloud does not have.

use aws_wire::value::{Node, Structure};

/// The first member of a request (or of a structure in it) that asks for something and is not among those
/// supported. What is set to "no" (`false`, 0, an empty list) asks for nothing.
pub fn first_unsupported(structure: &dyn Structure, supported: &[&str]) -> Option<&'static str> {
    let members = structure.schema().members.iter().enumerate();
    members
        .filter(|(_, member)| !supported.contains(&member.name))
        .find(|(index, _)| asks_for_something(structure.get(*index)))
        .map(|(_, member)| member.name)
}

fn asks_for_something(node: Node<'_>) -> bool {
    match node {
        Node::Absent | Node::Boolean(false) | Node::Integer(0) => false,
        Node::String(text) => !text.is_empty(),
        Node::List(list) => list.count() > 0,
        Node::Map(map) => !map.is_empty(),
        Node::Structure(structure) => {
            (0..structure.schema().members.len()).any(|index| asks_for_something(structure.get(index)))
        }
        Node::Integer(_) | Node::Double(_) | Node::Boolean(true) => true,
        Node::Timestamp(_) | Node::Blob(_) | Node::Document(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_wire::autoscaling::{CreateLaunchConfigurationType, InstanceMetadataOptions};

    #[test]
    fn what_asks_for_something_and_is_not_supported_is_named() {
        let none = CreateLaunchConfigurationType {
            image_id: Some("ami-1".into()),
            ebs_optimized: Some(false),
            metadata_options: Some(InstanceMetadataOptions::default()),
            ..Default::default()
        };
        assert_eq!(first_unsupported(&none, &["ImageId"]), None);
        let spot = CreateLaunchConfigurationType { spot_price: Some("0.1".into()), ..none };
        assert_eq!(first_unsupported(&spot, &["ImageId"]), Some("SpotPrice"));
        assert_eq!(first_unsupported(&spot, &["ImageId", "SpotPrice"]), None);
    }
}
