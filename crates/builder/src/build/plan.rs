//! What a run will do, decided and checked before anything is started.

use std::sync::Arc;

use packer_template::config::AmazonEbs;
use packer_template::{
    BuildData, Builder, Collector, Context, Error, Errors, PostProcessor, Provisioner, Template,
};

use super::step::Step;
use crate::post::Processor;
use crate::selection::{Names, UnknownBuild, takes_part};
use crate::ui::Secrets;

/// The builder that Drydock has.
const AMAZON_EBS: &str = "amazon-ebs";

/// Everything that a run will do.
#[derive(Debug)]
pub struct Plan {
    /// The builds, in order of name.
    pub builds: Vec<PlannedBuild>,
    /// What options may refer to, outside any build.
    pub context: Context,
    /// What is kept out of everything that is shown.
    pub secrets: Secrets,
    /// What is worth telling, though it is not wrong.
    pub warnings: Vec<String>,
}

/// One build of a plan.
#[derive(Debug, Clone)]
pub struct PlannedBuild {
    /// Its name.
    pub name: String,
    /// The builder as the template has it.
    pub builder: Builder,
    /// The builder's options.
    pub config: Arc<AmazonEbs>,
    /// Its provisioners in their order.
    pub provisioners: Vec<PlannedProvisioner>,
    /// What runs when one of them has failed.
    pub error_cleanup: Option<PlannedProvisioner>,
    /// Its chains of post-processors.
    pub post_processors: Vec<Vec<PostProcessor>>,
}

/// A provisioner of a build: options with the build's `override` applied.
#[derive(Debug, Clone)]
pub struct PlannedProvisioner {
    /// Its type and what it runs: `shell scripts/storage.sh`.
    pub name: String,
    /// As the template has it.
    pub provisioner: Provisioner,
    /// Its options, to be read again when the build's data are known.
    pub block: packer_template::Block,
    /// How often it is tried again.
    pub max_retries: u32,
    /// The code that its command ends with when it succeeds; none when there is no command, or several codes count.
    pub success_code: Option<i32>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The template does not hold.
    #[error(transparent)]
    Template(#[from] Errors),
    /// `-only` names something else.
    #[error(transparent)]
    UnknownBuild(#[from] UnknownBuild),
}

impl Plan {
    /// Checks all builds that `names` selects as far as that is possible without starting anything: every option of
    /// every builder, provisioner and post-processor, and the files that they name.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn new(template: &Template, context: &Context, names: &Names) -> Result<Self, PlanError> {
        let builds = template.build_names(context)?;
        names.check(&builds.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())?;
        let mut errors = Collector::default();
        let mut plan = Self {
            builds: Vec::new(),
            context: context.clone(),
            secrets: Secrets::default(),
            warnings: Vec::new(),
        };
        for (name, builder) in builds.into_iter().filter(|(name, _)| names.selects(name)) {
            let mut planner = Planner { template, names, errors: &mut errors, warnings: &mut plan.warnings };
            plan.builds.extend(planner.build(name, builder, context));
        }
        plan.secrets = secrets(context, &plan.builds);
        for provisioner in plan.builds.iter_mut().flat_map(|build| &mut build.provisioners) {
            // The beginning of an inline script may have a secret in it.
            provisioner.name = plan.secrets.redact(&provisioner.name);
        }
        plan.warnings.dedup();
        Ok(errors.into_result(plan)?)
    }
}

/// Reads the options of one build with placeholders for what only the build itself will know.
struct Planner<'a> {
    template: &'a Template,
    names: &'a Names,
    errors: &'a mut Collector,
    warnings: &'a mut Vec<String>,
}

impl Planner<'_> {
    fn build(&mut self, name: String, builder: &Builder, context: &Context) -> Option<PlannedBuild> {
        let block = &builder.block;
        let context = context.with_build(BuildData::placeholder(&name, &block.kind));
        let config = if block.kind == AMAZON_EBS {
            self.errors.take(AmazonEbs::decode(block, &context))
        } else {
            self.errors.push(unsupported(block));
            None
        };
        let takes_part = |provisioner: &&Provisioner| takes_part(&provisioner.selection, &builder.name);
        let template = self.template;
        let provisioners: Vec<_> = template.provisioners.iter().filter(takes_part).collect();
        let provisioners: Vec<_> =
            provisioners.into_iter().filter_map(|found| self.provisioner(found, builder, &context)).collect();
        let cleanup = template.error_cleanup_provisioner.as_ref().filter(takes_part);
        let error_cleanup = cleanup.and_then(|found| self.provisioner(found, builder, &context));
        let post_processors = self.names.chains(&template.post_processors, &builder.name);
        for post in post_processors.iter().flatten() {
            self.errors.take(Processor::decode(&post.block, &context));
        }
        let config = Arc::new(config?);
        self.warnings.extend(config.warnings.iter().cloned());
        Some(PlannedBuild {
            name,
            builder: builder.clone(),
            config,
            provisioners,
            error_cleanup,
            post_processors,
        })
    }

    fn provisioner(
        &mut self,
        provisioner: &Provisioner,
        builder: &Builder,
        context: &Context,
    ) -> Option<PlannedProvisioner> {
        let block = provisioner.block_for(&builder.name);
        let step = self.errors.take(Step::decode(&block, context));
        let max_retries = self.errors.take(provisioner.retries(context));
        let step = step?;
        self.warnings.extend(step.warnings().iter().cloned());
        Some(PlannedProvisioner {
            name: step.describe(),
            success_code: step.success_code(),
            provisioner: provisioner.clone(),
            block,
            max_retries: max_retries?,
        })
    }
}

fn unsupported(block: &packer_template::Block) -> Error {
    Error::new(format!("the builder '{}' is not supported by Drydock", block.kind))
        .at(&block.source, block.span)
        .path(&block.path)
        .help(format!("there is {AMAZON_EBS}"))
}

/// The template's sensitive variables, and the credentials that its builders are given.
fn secrets(context: &Context, builds: &[PlannedBuild]) -> Secrets {
    let access = builds.iter().map(|build| &build.config.access);
    let credentials = access.flat_map(|access| [access.secret_key.clone(), access.token.clone()]);
    let variables = context.variables.sensitive_values().map(str::to_owned);
    Secrets::new(variables.chain(credentials.flatten()))
}
