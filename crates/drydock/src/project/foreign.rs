//! Ids of an AWS account that a stack's template and parameters name. Pure.

use std::collections::{BTreeMap, BTreeSet};

use cfn_template::{Function, Node, ParameterType, Template, Value};

/// What the files name that must exist before the stack.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// `vpc-…`
    pub vpcs: BTreeSet<String>,
    /// `subnet-…`
    pub subnets: BTreeSet<String>,
    /// `sg-…`
    pub security_groups: BTreeSet<String>,
    /// `ami-…`
    pub images: BTreeSet<String>,
    /// Names of key pairs.
    pub key_pairs: BTreeSet<String>,
}

impl Foreign {
    /// Reads the ids out of a template's properties, and out of the parameters that it declares: the values given,
    /// else their defaults.
    pub fn of(template: &Template, given: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| -> Option<String> {
            let parameter = template.parameters.get(name)?;
            given.get(name).cloned().or_else(|| parameter.default.clone())
        };
        let mut found = Self::default();
        for (name, parameter) in &template.parameters {
            let Some(text) = value(name) else { continue };
            let is_key = parameter.type_ == ParameterType::Aws("AWS::EC2::KeyPair::KeyName");
            for item in text.split(',').map(str::trim) {
                if is_key {
                    found.key(item);
                } else {
                    found.id(item);
                }
            }
        }
        let properties = template.resources.values().flat_map(|resource| &resource.properties);
        for (name, entry) in properties {
            found.property(name, &entry.node, &value);
        }
        found
    }

    /// Adds what other files name.
    pub fn add(&mut self, other: Self) {
        self.vpcs.extend(other.vpcs);
        self.subnets.extend(other.subnets);
        self.security_groups.extend(other.security_groups);
        self.images.extend(other.images);
        self.key_pairs.extend(other.key_pairs);
    }

    /// Adds an id of one of the kinds that can be adopted.
    pub fn id(&mut self, text: &str) {
        let Some((kind, digits)) = text.split_once('-') else { return };
        let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || !matches!(digits.len(), 8 | 17) {
            return;
        }
        let set = match kind {
            "vpc" => &mut self.vpcs,
            "subnet" => &mut self.subnets,
            "sg" => &mut self.security_groups,
            "ami" => &mut self.images,
            _ => return,
        };
        set.insert(text.to_owned());
    }

    fn key(&mut self, name: &str) {
        if !name.is_empty() {
            self.key_pairs.insert(name.to_owned());
        }
    }

    fn property(&mut self, name: &str, node: &Node, parameter: &dyn Fn(&str) -> Option<String>) {
        match &node.value {
            Value::String(text) if name == "KeyName" => self.key(text),
            Value::String(text) => self.id(text),
            Value::List(items) => items.iter().for_each(|item| self.property(name, item, parameter)),
            Value::Map(members) => {
                members.iter().for_each(|(name, entry)| self.property(name, &entry.node, parameter));
            }
            Value::Function(function) => {
                if let ("KeyName", Function::Ref(to)) = (name, function.as_ref()) {
                    parameter(&to.value).iter().for_each(|key| self.key(key));
                }
            }
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(items: &[&str]) -> BTreeSet<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn ids_of_parameters_and_properties() {
        let template = Template::parse(
            "Parameters:
  VpcId: {Type: 'AWS::EC2::VPC::Id'}
  Subnets: {Type: 'List<AWS::EC2::Subnet::Id>', Default: 'subnet-a5d3ecee, subnet-324e246f'}
  Image: {Type: String, Default: ami-00000000}
  Key: {Type: String, Default: admin}
  Login: {Type: 'AWS::EC2::KeyPair::KeyName', Default: ops}
Resources:
  Group:
    Type: AWS::AutoScaling::LaunchConfiguration
    Properties:
      ImageId: !Ref Image
      InstanceType: t2.micro
      KeyName: !Ref Key
      SecurityGroups: [sg-0123abcd, !Ref Image]
      Tags: [{Key: vpc-nothing, Value: !Ref Login}, {Key: a, Value: !Ref VpcId}, {Key: b, Value: !Select [0, !Ref Subnets]}]
",
        )
        .unwrap();
        let given = BTreeMap::from([
            ("VpcId".to_owned(), "vpc-f8233a80".to_owned()),
            ("Image".to_owned(), "ami-ec957491".to_owned()),
        ]);
        let found = Foreign::of(&template, &given);
        assert_eq!(
            found,
            Foreign {
                vpcs: set(&["vpc-f8233a80"]),
                subnets: set(&["subnet-a5d3ecee", "subnet-324e246f"]),
                security_groups: set(&["sg-0123abcd"]),
                images: set(&["ami-ec957491"]),
                key_pairs: set(&["admin", "ops"]),
            }
        );
    }

    #[test]
    fn what_is_no_id_is_left_alone() {
        let mut found = Foreign::default();
        for text in ["", "vpc-", "vpc-F8233A80", "vpc-f8233a8", "igw-f8233a80", "a-b", "ami-latest"] {
            found.id(text);
        }
        assert_eq!(found, Foreign::default());
    }
}
