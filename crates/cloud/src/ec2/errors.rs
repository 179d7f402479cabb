//! EC2's errors, with its codes and words.

use aws_wire::Error;

/// A kind of resource as EC2's errors speak of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The code where one is not there.
    pub code: &'static str,
    /// What EC2 calls it in the message.
    noun: &'static str,
    /// What its ids begin with.
    prefix: &'static str,
    /// The code where an id does not have the form; none where EC2 only looks it up.
    malformed: &'static str,
}

/// VPCs.
pub const VPC: Kind = Kind {
    code: "InvalidVpcID.NotFound",
    noun: "vpc ID",
    prefix: "vpc-",
    malformed: "InvalidVpcId.Malformed",
};
/// Subnets.
pub const SUBNET: Kind = Kind {
    code: "InvalidSubnetID.NotFound",
    noun: "subnet ID",
    prefix: "subnet-",
    malformed: "InvalidSubnetID.Malformed",
};
/// Internet gateways.
pub const INTERNET_GATEWAY: Kind = Kind {
    code: "InvalidInternetGatewayID.NotFound",
    noun: "internetGateway ID",
    prefix: "igw-",
    malformed: "InvalidInternetGatewayId.Malformed",
};
/// Route tables.
pub const ROUTE_TABLE: Kind = Kind {
    code: "InvalidRouteTableID.NotFound",
    noun: "routeTable ID",
    prefix: "rtb-",
    malformed: "InvalidRouteTableId.Malformed",
};
/// Associations of route tables and of instance profiles.
pub const ASSOCIATION: Kind = Kind {
    code: "InvalidAssociationID.NotFound",
    noun: "association ID",
    prefix: "",
    malformed: "InvalidAssociationID.Malformed",
};
/// Security groups.
pub const SECURITY_GROUP: Kind = Kind {
    code: "InvalidGroup.NotFound",
    noun: "security group",
    prefix: "sg-",
    malformed: "InvalidGroupId.Malformed",
};
/// Rules of security groups.
pub const SECURITY_GROUP_RULE: Kind = Kind {
    code: "InvalidSecurityGroupRuleId.NotFound",
    noun: "security group rule ID",
    prefix: "sgr-",
    malformed: "InvalidSecurityGroupRuleId.Malformed",
};
/// Network interfaces.
pub const NETWORK_INTERFACE: Kind = Kind {
    code: "InvalidNetworkInterfaceID.NotFound",
    noun: "networkInterface ID",
    prefix: "eni-",
    malformed: "InvalidNetworkInterfaceId.Malformed",
};
/// Network ACLs.
pub const NETWORK_ACL: Kind = Kind {
    code: "InvalidNetworkAclID.NotFound",
    noun: "networkAcl ID",
    prefix: "acl-",
    malformed: "InvalidNetworkAclId.Malformed",
};
/// DHCP options.
pub const DHCP_OPTIONS: Kind = Kind {
    code: "InvalidDhcpOptionID.NotFound",
    noun: "dhcpOption ID",
    prefix: "dopt-",
    malformed: "InvalidDhcpOptionsId.Malformed",
};
/// Instances.
pub const INSTANCE: Kind = Kind {
    code: "InvalidInstanceID.NotFound",
    noun: "instance ID",
    prefix: "i-",
    malformed: "InvalidInstanceID.Malformed",
};
/// Volumes.
pub const VOLUME: Kind = Kind {
    code: "InvalidVolume.NotFound",
    noun: "volume",
    prefix: "vol-",
    malformed: "InvalidParameterValue",
};
/// Snapshots.
pub const SNAPSHOT: Kind = Kind {
    code: "InvalidSnapshot.NotFound",
    noun: "snapshot",
    prefix: "snap-",
    malformed: "InvalidSnapshotID.Malformed",
};
/// Key pairs, by name.
pub const KEY_PAIR: Kind = Kind {
    code: "InvalidKeyPair.NotFound",
    noun: "key pair",
    prefix: "",
    malformed: "InvalidKeyPair.Format",
};

impl Kind {
    /// There is no such resource.
    pub fn not_found(self, id: &str) -> Error {
        if !id.starts_with(self.prefix) {
            return self.ill_formed(id);
        }
        Error::client(self.code, format!("The {} '{id}' does not exist", self.noun))
    }

    /// There are no such resources.
    pub fn none_found(self, ids: &[&str]) -> Error {
        if let Some(bad) = ids.iter().find(|id| !id.starts_with(self.prefix)) {
            return self.ill_formed(bad);
        }
        match ids {
            [id] => self.not_found(id),
            ids => Error::client(self.code, format!("The {}s '{}' do not exist", self.noun, ids.join(", "))),
        }
    }

    fn ill_formed(self, id: &str) -> Error {
        Error::client(self.malformed, format!("Invalid id: \"{id}\" (expecting \"{}...\")", self.prefix))
    }

    /// Something else needs the resource.
    pub fn has_dependencies(self, id: &str) -> Error {
        let noun = self.noun.trim_end_matches(" ID");
        Error::client(
            "DependencyViolation",
            format!("The {noun} '{id}' has dependencies and cannot be deleted."),
        )
    }
}

/// There is no such image.
pub fn image_not_found(ids: &[&str]) -> Error {
    if let Some(bad) = ids.iter().find(|id| !id.starts_with("ami-")) {
        return Error::client(
            "InvalidAMIID.Malformed",
            format!("Invalid id: \"{bad}\" (expecting \"ami-...\")"),
        );
    }
    match ids {
        [id] => Error::client("InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist")),
        ids => Error::client(
            "InvalidAMIID.NotFound",
            format!("The image ids '[{}]' do not exist", ids.join(", ")),
        ),
    }
}

/// A parameter has a value that it may not have.
pub fn invalid_value(message: impl Into<String>) -> Error {
    Error::client("InvalidParameterValue", message.into())
}

/// A parameter has a value that it may not have.
pub fn invalid_parameter(value: &str, parameter: &str, why: &str) -> Error {
    let message = format!("Value ({value}) for parameter {parameter} is invalid. {why}");
    Error::client("InvalidParameterValue", message.trim_end())
}

/// Parameters do not go together.
pub fn bad_combination(message: impl Into<String>) -> Error {
    Error::client("InvalidParameterCombination", message.into())
}

/// A parameter is missing.
pub fn missing(parameter: &str) -> Error {
    Error::client("MissingParameter", format!("The request must contain the parameter {parameter}"))
}

/// The request asks for something that this cloud does not have.
pub fn unsupported(what: &str) -> Error {
    Error::client("UnsupportedOperation", format!("{what} is not supported by this cloud"))
}

/// A token was used before with other parameters.
pub fn token_mismatch() -> Error {
    Error::client(
        "IdempotentParameterMismatch",
        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (error, code, message) in [
            (KEY_PAIR.not_found("admin"), "InvalidKeyPair.NotFound", "The key pair 'admin' does not exist"),
            (
                INSTANCE.none_found(&["i-1", "i-2"]),
                "InvalidInstanceID.NotFound",
                "The instance IDs 'i-1, i-2' do not exist",
            ),
            (
                INSTANCE.not_found("x-1"),
                "InvalidInstanceID.Malformed",
                "Invalid id: \"x-1\" (expecting \"i-...\")",
            ),
            (
                VPC.has_dependencies("vpc-1"),
                "DependencyViolation",
                "The vpc 'vpc-1' has dependencies and cannot be deleted.",
            ),
            (image_not_found(&["ami-1"]), "InvalidAMIID.NotFound", "The image id '[ami-1]' does not exist"),
        ] {
            assert_eq!((error.code.as_ref(), error.message.as_ref()), (code, message));
        }
    }
}
