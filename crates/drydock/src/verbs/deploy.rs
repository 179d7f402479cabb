//! `drydock deploy`: the flags of `aws cloudformation deploy`, with the truth about the instances.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cfn_template::{Function, Node, Template};
use deployer::Clients;
use deployer::deploy::{self, Deployment, Planned};
use deployer::fail_fast::FailFast;
use deployer::follow::{Follower, Outcome};

use crate::exit::{FAILED, Failure};
use crate::output::{Display, OutputArgs};
use crate::parameters;
use crate::target::TargetArgs;

/// Makes or changes a stack and follows it to the end
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock deploy --template-file stack.yml --stack-name todobackend \\
      --parameter-overrides dev.cfg ApplicationDesiredCount=3 --capabilities CAPABILITY_NAMED_IAM
  drydock deploy --target aws --template-file stack.yml --stack-name todobackend --no-execute-changeset")]
pub struct Args {
    /// The template
    #[arg(long, value_name = "FILE")]
    template_file: PathBuf,
    /// The stack's name
    #[arg(long, value_name = "NAME")]
    stack_name: String,
    /// KEY=VALUE, or files of such lines; parameters not given keep their value in an update
    #[arg(long, value_name = "KEY=VALUE|FILE", num_args = 1..)]
    parameter_overrides: Vec<String>,
    /// Capabilities acknowledged, such as CAPABILITY_NAMED_IAM
    #[arg(long, value_name = "CAPABILITY", num_args = 1..)]
    capabilities: Vec<String>,
    /// Tags of the stack
    #[arg(long, value_name = "KEY=VALUE", num_args = 1..)]
    tags: Vec<String>,
    /// Make the change set, show it, and leave it at that
    #[arg(long)]
    no_execute_changeset: bool,
    /// Exit with an error when there is nothing to change
    #[arg(long, overrides_with = "no_fail_on_empty_changeset")]
    fail_on_empty_changeset: bool,
    /// Exit with 0 when there is nothing to change (the default)
    #[arg(long)]
    no_fail_on_empty_changeset: bool,
    /// Keep what was made when the deployment fails
    #[arg(long, overrides_with = "no_disable_rollback")]
    disable_rollback: bool,
    /// Roll back when the deployment fails (the default)
    #[arg(long)]
    no_disable_rollback: bool,
    /// Fail as soon as an instance's user data has ended without a signal, instead of waiting for the timeout
    #[arg(long)]
    fail_fast: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the verb.
pub async fn run(args: Args) -> Result<(), Failure> {
    let source = TemplateFile::read(&args.template_file)?;
    let deployment = Deployment {
        stack: args.stack_name.clone(),
        template: source.text.clone(),
        parameters: parameters::overrides(&args.parameter_overrides)?,
        declared: source.declared(),
        capabilities: args.capabilities.clone(),
        tags: tags(&args.tags)?,
        disable_rollback: args.disable_rollback,
    };
    let clients = args.target.clients_to_change(&format!("deploy stack {}", args.stack_name)).await?;
    let Some(planned) = deploy::plan(&clients, &deployment).await? else {
        let line = format!("No changes to deploy. Stack {} is up to date", args.stack_name);
        args.output.print(&serde_json::json!({ "event": "note", "message": line }), || line.clone())?;
        return if args.fail_on_empty_changeset { Err(Failure::told(FAILED)) } else { Ok(()) };
    };
    if args.no_execute_changeset {
        return show(&planned, args.output);
    }
    let mut display = args.output.display(&args.stack_name);
    let fail_fast = args.fail_fast.then_some(&source);
    let outcome = execute(&clients, &deployment, &planned, fail_fast, display.as_mut()).await?;
    display.finish(&outcome);
    if outcome.succeeded() { Ok(()) } else { Err(Failure::told(FAILED)) }
}

/// Executes a planned deployment and follows it to its end; `fail_fast` is the template when instances that
/// can no longer signal are to be given up.
pub async fn execute(
    clients: &Clients,
    deployment: &Deployment,
    planned: &Planned,
    fail_fast: Option<&TemplateFile>,
    display: &mut dyn Display,
) -> Result<Outcome, Failure> {
    let mut follower = Follower::from_now(clients, &planned.stack_id).await?;
    if let Some(source) = fail_fast {
        follower = follower.fail_fast(FailFast::new(source.awaited_signals(&deployment.parameters)));
    }
    deploy::execute(clients, deployment, planned).await?;
    Ok(follower.to_the_end(display).await?)
}

/// Shows a change set that is left for somebody to execute.
fn show(planned: &Planned, output: OutputArgs) -> Result<(), Failure> {
    let document = serde_json::json!({
        "StackId": planned.stack_id, "ChangeSetId": planned.change_set_id, "Changes": planned.changes,
    });
    output.print(&document, || {
        let mut text = format!("Change set {}\n", planned.change_set_id);
        for change in &planned.changes {
            let replacement = match change.replacement.as_deref() {
                Some("True") => "  replacement",
                Some("Conditional") => "  replacement possible",
                _ => "",
            };
            text += &format!(
                "  {:<8} {:<44} {}{replacement}\n",
                change.action, change.logical_id, change.resource_type
            );
        }
        text + &format!(
            "Execute it with:\n  aws cloudformation execute-change-set --change-set-name {}",
            planned.change_set_id
        )
    })
}

/// A template that has been read and understood.
pub struct TemplateFile {
    /// Its text.
    pub text: String,
    template: Template,
}

impl TemplateFile {
    /// Reads and parses a template, so that its faults are shown with their places before anything is asked
    /// of a cloud.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::config(format!("{}: {error}", path.display())))?;
        let template = Template::parse(&text).map_err(|errors| {
            let rendered = cfn_template::render_all(&errors, &path.display().to_string(), &text);
            Failure::config(format!("the template cannot be deployed\n{rendered}"))
        })?;
        Ok(Self { text, template })
    }

    /// What it says.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The names of its parameters.
    pub fn declared(&self) -> Vec<String> {
        self.template.parameters.keys().cloned().collect()
    }

    /// The resources that wait for signals, with how many, as far as the template and the given parameters
    /// tell without asking anybody.
    pub fn awaited_signals(&self, given: &BTreeMap<String, String>) -> BTreeMap<String, u32> {
        let resources = self.template.resources.values();
        resources
            .filter_map(|resource| {
                let signal = resource.creation_policy.as_ref()?.get("ResourceSignal")?;
                let count = signal.get("Count").map_or(Some(1), |count| self.number(count, given))?;
                (count > 0).then(|| (resource.logical_id.clone(), count))
            })
            .collect()
    }

    /// A literal number, or the value of the parameter that is referred to.
    fn number(&self, node: &Node, given: &BTreeMap<String, String>) -> Option<u32> {
        if let Some(Function::Ref(name)) = node.as_function() {
            let default = || self.template.parameters.get(&name.value)?.default.clone();
            return given.get(&name.value).cloned().or_else(default)?.trim().parse().ok();
        }
        node.scalar_text()?.parse().ok()
    }
}

fn tags(items: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    items
        .iter()
        .map(|item| match item.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(Failure::config(format!("--tags {item}: expected KEY=VALUE"))),
        })
        .collect()
}
