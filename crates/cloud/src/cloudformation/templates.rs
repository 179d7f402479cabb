//! `GetTemplate`, `GetTemplateSummary`, `ValidateTemplate`.

use aws_wire::Error;
use aws_wire::cloudformation as wire;
use cfn_template::{Parameter, Template};

use super::capabilities;
use super::engine::Host;
use super::request::{Request, invalid, refuse};
use super::stacks::template_body;
use super::submission::refused;

const NO_S3: &str = "there is no S3; give the template in TemplateBody";

impl<H: Host> Request<'_, H> {
    pub(super) fn get_template(
        &self,
        input: wire::GetTemplateInput,
    ) -> Result<wire::GetTemplateOutput, Error> {
        self.requester()?;
        let definition = match &input.change_set_name {
            Some(name) => Some(self.change_set(input.stack_name.as_deref(), Some(name))?.definition.clone()),
            None => self.named(input.stack_name.as_deref())?.definition.clone(),
        };
        match input.template_stage.as_deref() {
            // Without transforms the two are the same.
            None | Some("Original" | "Processed") => {}
            Some(other) => {
                return Err(invalid(format!(
                    "1 validation error detected: Value '{other}' at 'templateStage' failed to satisfy \
                     constraint: Member must satisfy enum value set: [Original, Processed]"
                )));
            }
        }
        let template_body = definition.map(|definition| definition.template);
        let stages_available = vec!["Original".to_owned(), "Processed".to_owned()];
        Ok(wire::GetTemplateOutput { template_body, stages_available })
    }

    pub(super) fn get_template_summary(
        &self,
        input: wire::GetTemplateSummaryInput,
    ) -> Result<wire::GetTemplateSummaryOutput, Error> {
        self.requester()?;
        refuse(input.template_url.is_some(), "TemplateURL", NO_S3)?;
        refuse(input.stack_set_name.is_some(), "StackSetName", "there are no stack sets")?;
        let text = match &input.stack_name {
            Some(name) => {
                let definition = self.stack(name)?.definition.clone();
                definition.map(|definition| definition.template).ok_or_else(|| {
                    invalid(format!("Stack {name} has no template yet: it is in state REVIEW_IN_PROGRESS"))
                })?
            }
            None => template_body(input.template_body)?,
        };
        let template = Template::parse(&text).map_err(|errors| refused(errors.into_vec()))?;
        let requirement = capabilities::required(&template);
        let mut resource_types: Vec<String> =
            template.resources.values().map(|resource| resource.type_.value.clone()).collect();
        resource_types.sort();
        resource_types.dedup();
        let parameters =
            template.parameters.iter().map(|(name, parameter)| declaration(name, parameter)).collect();
        Ok(wire::GetTemplateSummaryOutput {
            parameters,
            description: template.description.clone(),
            capabilities: requirement.iter().map(|requirement| requirement.capability.to_owned()).collect(),
            capabilities_reason: requirement.map(|requirement| requirement.reason()),
            resource_types,
            version: Some("2010-09-09".to_owned()),
            metadata: template.metadata.as_ref().map(|node| node.to_json().to_string()),
            ..Default::default()
        })
    }

    pub(super) fn validate_template(
        &self,
        input: wire::ValidateTemplateInput,
    ) -> Result<wire::ValidateTemplateOutput, Error> {
        self.requester()?;
        refuse(input.template_url.is_some(), "TemplateURL", NO_S3)?;
        let text = template_body(input.template_body)?;
        let template = Template::parse(&text).map_err(|errors| refused(errors.into_vec()))?;
        self.check_support(&template, &[])?;
        let requirement = capabilities::required(&template);
        let parameters = template
            .parameters
            .iter()
            .map(|(name, parameter)| wire::TemplateParameter {
                parameter_key: Some(name.clone()),
                default_value: parameter.default.clone(),
                no_echo: Some(parameter.no_echo),
                description: parameter.description.clone(),
            })
            .collect();
        Ok(wire::ValidateTemplateOutput {
            parameters,
            description: template.description.clone(),
            capabilities: requirement.iter().map(|requirement| requirement.capability.to_owned()).collect(),
            capabilities_reason: requirement.map(|requirement| requirement.reason()),
            declared_transforms: Vec::new(),
        })
    }
}

fn declaration(name: &str, parameter: &Parameter) -> wire::ParameterDeclaration {
    wire::ParameterDeclaration {
        parameter_key: Some(name.to_owned()),
        default_value: parameter.default.clone(),
        parameter_type: Some(parameter.type_.to_string()),
        no_echo: Some(parameter.no_echo),
        description: parameter.description.clone(),
        parameter_constraints: Some(wire::ParameterConstraints {
            allowed_values: parameter.allowed_values.clone().unwrap_or_default(),
        }),
    }
}
