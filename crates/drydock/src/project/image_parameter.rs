//! Which of a stack's parameters takes the image. Pure.

use cfn_template::{ParameterType, Template};

use crate::exit::Failure;

const IMAGE_ID: &str = "AWS::EC2::Image::Id";

/// The parameter that takes an AMI's id: the one that is asked for, else the only one of type `AWS::EC2::Image::Id`,
/// else the only text whose name ends in `ImageId` or `AmiId`.
///
/// # Errors
/// When there is none, several, or the parameter takes something else; the message names the option to choose with.
pub fn image_parameter(template: &Template, chosen: Option<&str>) -> Result<String, Failure> {
    if let Some(chosen) = chosen {
        return chosen_parameter(template, chosen);
    }
    let typed: Vec<&str> = names(template, |_, type_| *type_ == ParameterType::Aws(IMAGE_ID));
    let named = || names(template, |name, type_| *type_ == ParameterType::String && means_image(name));
    let candidates = if typed.is_empty() { named() } else { typed };
    match candidates.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Failure::config(format!(
            "the stack's template has no parameter that takes the image: none is of type {IMAGE_ID}, and no text's name \
             ends in ImageId or AmiId{}; name it with --image-parameter",
            hint_of_ssm(template)
        ))),
        many => Err(Failure::config(format!(
            "several parameters of the stack's template may take the image: {}; choose one with --image-parameter",
            many.join(", ")
        ))),
    }
}

fn chosen_parameter(template: &Template, name: &str) -> Result<String, Failure> {
    let Some(parameter) = template.parameters.get(name) else {
        let known: Vec<&str> = template.parameters.keys().map(String::as_str).collect();
        return Err(Failure::config(format!(
            "the stack's template has no parameter {name}; it has {}",
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        )));
    };
    match &parameter.type_ {
        ParameterType::String | ParameterType::Aws(IMAGE_ID) => Ok(name.to_owned()),
        other => Err(Failure::config(format!(
            "parameter {name} is of type {other} and cannot take an AMI's id; declare it as {IMAGE_ID}"
        ))),
    }
}

fn names(template: &Template, wanted: impl Fn(&str, &ParameterType) -> bool) -> Vec<&str> {
    let found = template.parameters.iter().filter(|(name, parameter)| wanted(name, &parameter.type_));
    found.map(|(name, _)| name.as_str()).collect()
}

fn means_image(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("imageid") || name.ends_with("amiid")
}

/// A parameter that names the image by way of SSM is a near miss that deserves its own words.
fn hint_of_ssm(template: &Template) -> String {
    let of_ssm = |_: &str, type_: &ParameterType| matches!(type_, ParameterType::SsmValue(inner) if **inner == ParameterType::Aws(IMAGE_ID));
    match names(template, of_ssm).as_slice() {
        [] => String::new(),
        many => format!(" ({} takes the name of an SSM parameter, not an image)", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(parameters: &[(&str, &str)]) -> Template {
        let declared: String =
            parameters.iter().map(|(name, type_)| format!("  {name}:\n    Type: {type_}\n")).collect();
        let used: String = parameters.iter().map(|(name, _)| format!("        - !Ref {name}\n")).collect();
        let text = format!(
            "Parameters:\n{declared}Resources:\n  Cluster:\n    Type: AWS::ECS::Cluster\n    Metadata:\n      Used:\n{used}"
        );
        Template::parse(&text).unwrap()
    }

    #[test]
    fn the_rule() {
        let image = "AWS::EC2::Image::Id";
        for (parameters, chosen, expected) in [
            (
                vec![("ApplicationImageId", "String"), ("VpcId", "AWS::EC2::VPC::Id")],
                None,
                Ok("ApplicationImageId"),
            ),
            (vec![("WebAmiId", "String")], None, Ok("WebAmiId")),
            (vec![("Other", image), ("ImageId", "String")], None, Ok("Other")),
            (vec![("A", image), ("B", image)], None, Err("A, B")),
            (vec![("A", image), ("B", image)], Some("B"), Ok("B")),
            (vec![("Name", "String")], None, Err("--image-parameter")),
            (vec![("Name", "String")], Some("Name"), Ok("Name")),
            (vec![("Name", "String")], Some("Nam"), Err("has no parameter Nam; it has Name")),
            (vec![("Count", "Number")], Some("Count"), Err("of type Number")),
            (
                vec![("ImageId", "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>")],
                None,
                Err("ImageId takes the name of an SSM parameter"),
            ),
        ] {
            match (image_parameter(&template(&parameters), chosen), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(failure), Err(words)) => {
                    let message = failure.message.unwrap();
                    assert!(message.contains(words), "{message}");
                }
                (found, expected) => panic!("{found:?}, not {expected:?}"),
            }
        }
    }
}
