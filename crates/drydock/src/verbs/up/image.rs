//! The image half: built, unless an image with the same inputs is there already.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use aws_clients::Target;
use aws_sdk_ec2::types::{Filter, Image, Tag};
use builder::build::{self, Plan, PlannedBuild, Settings};
use builder::history::{CHECKS_TAG, INPUTS_TAG};
use builder::inputs::of_bytes;
use builder::selection::Names;
use builder::steps::OnError;
use builder::ui::{Console, JsonLines, Kind, Line, Text};
use deployer::Clients;
use deployer::error::sdk;
use packer_template::config::{AmazonEbs, Communicator};
use tokio_util::sync::CancellationToken;

use crate::exit::{FAILED, Failure};
use crate::ledger::Entry;
use crate::output::{Format, Notes, OutputArgs};
use crate::project::{Foreign, ImageHalf};
use crate::target::TargetArgs;
use crate::template::{self, Loaded, TemplateArgs};
use crate::verbs::verify_image;

/// The image half, read and checked.
pub struct ImagePlan {
    loaded: Loaded,
    plan: Arc<Plan>,
}

/// Where a build speaks, and what ends it.
pub struct Setting<'a> {
    /// For sentences.
    pub notes: &'a Notes,
    /// The form of the output.
    pub output: OutputArgs,
    /// Cancelled by the first Ctrl-C.
    pub cancel: &'a CancellationToken,
}

/// The images by region.
pub type Amis = BTreeMap<String, String>;

impl ImagePlan {
    /// Reads the template. The working directory becomes the template's folder: relative paths count from there.
    ///
    /// # Errors
    /// Everything that is wrong with the template; several builds and no choice.
    pub fn read(half: &ImageHalf) -> Result<Self, Failure> {
        std::env::set_current_dir(&half.dir)
            .map_err(|error| Failure::config(format!("{}: {error}", half.dir.display())))?;
        let vars = half.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let arguments =
            TemplateArgs { template: half.template.clone(), vars, var_files: half.var_files.clone() };
        let loaded = arguments.load()?;
        let names = Names { only: half.only.iter().cloned().collect(), except: Vec::new() };
        let plan = Plan::new(&loaded.template, &loaded.context, &names).map_err(template::invalid)?;
        match plan.builds.as_slice() {
            [_] => Ok(Self { loaded, plan: Arc::new(plan) }),
            [] => Err(Failure::config(format!("{}: there is no build in it", half.template.display()))),
            many => {
                let names: Vec<&str> = many.iter().map(|build| build.name.as_str()).collect();
                Err(Failure::config(format!(
                    "{} has {} builds: {}; choose one with --only",
                    half.template.display(),
                    many.len(),
                    names.join(", ")
                )))
            }
        }
    }

    /// The region that the template builds in, if it says so.
    pub fn region(&self) -> Option<String> {
        self.build().config.access.region.clone()
    }

    /// The ids that the template names.
    pub fn foreign(&self) -> Foreign {
        foreign(&self.build().config)
    }

    /// The image of a region that these inputs have been made to; none if there is none, or it is gone.
    ///
    /// # Errors
    /// When the inputs cannot be read, or EC2 not be asked.
    pub async fn made(&self, target: Target) -> Result<Option<String>, Failure> {
        let entry = Entry::begin(self.build(), &self.loaded, &target).await?;
        newest(&entry, &entry.session().region).await
    }

    fn build(&self) -> &PlannedBuild {
        // `read` has made sure that there is one.
        &self.plan.builds[0]
    }

    /// Makes sure that there is an image with these inputs.
    ///
    /// # Errors
    /// When the build fails; that has been told.
    pub async fn make(&self, target: Target, rebuild: bool, context: &Setting<'_>) -> Result<Amis, Failure> {
        let entry = Entry::begin(self.build(), &self.loaded, &target).await?;
        if !rebuild && let Some(amis) = self.unchanged(&entry).await? {
            for (region, ami) in &amis {
                context.notes.note(&format!("image unchanged: {ami} in {region}"));
            }
            return Ok(amis);
        }
        self.run(&entry, target, context).await
    }

    /// The images with the same inputs in every region where the template wants one; none when one is missing.
    async fn unchanged(&self, entry: &Entry) -> Result<Option<Amis>, Failure> {
        let ami = &self.build().config.ami;
        let home = entry.session().region.clone();
        let own = (!ami.skip_save_build_region).then_some(&home);
        let mut amis = Amis::new();
        for region in own.into_iter().chain(&ami.ami_regions) {
            match newest(entry, region).await? {
                Some(found) => amis.insert(region.clone(), found),
                None => return Ok(None),
            };
        }
        Ok(Some(amis))
    }

    async fn run(&self, entry: &Entry, target: Target, context: &Setting<'_>) -> Result<Amis, Failure> {
        let console = console(context.output);
        let host = &self.plan.context.host;
        let settings = Settings {
            force: false,
            on_error: OnError::Cleanup,
            debug: false,
            parallel: None,
            uuid: (host.uuid)(),
            folder: host.cwd.clone(),
            env: host.env.clone(),
            target,
            hooks: None,
        };
        let outcome = build::run(&self.plan, &Arc::new(settings), console.clone(), context.cancel).await;
        for build in &outcome.builds {
            let say = |text: &str| console.show(Line::general(Kind::Say, text));
            entry.keep(build, &say).await;
        }
        if !outcome.succeeded() {
            outcome.tell(console.as_ref());
            return Err(Failure::told(FAILED));
        }
        let made =
            outcome.builds.iter().flat_map(|build| &build.artifacts).find(|made| !made.amis.is_empty());
        made.map(|made| made.amis.clone()).ok_or_else(|| {
            Failure::failed("the build made no image (skip_create_ami), so there is none for the stack")
        })
    }

    /// Runs the checks on an image, unless it has passed the same ones before.
    ///
    /// # Errors
    /// When a check does not hold.
    pub async fn check(
        &self,
        clients: &Clients,
        ami: &str,
        checks: &Path,
        target: &TargetArgs,
        context: &Setting<'_>,
    ) -> Result<(), Failure> {
        let bytes = std::fs::read(checks)
            .map_err(|error| Failure::config(format!("{}: {error}", checks.display())))?;
        let digest = of_bytes(&bytes).to_string();
        let shown = checks.file_name().unwrap_or(checks.as_os_str()).to_string_lossy();
        if passed(clients, ami, &digest).await? {
            context.notes.note(&format!("image {ami} has passed {shown} before"));
            return Ok(());
        }
        // Whoever agreed to the build has agreed to this instance, too.
        let target = TargetArgs { yes: true, ..target.clone() };
        let username = match &self.build().config.communicator {
            Communicator::Ssh(ssh) => ssh.ssh_username.clone(),
            Communicator::None => "ec2-user".to_owned(),
        };
        let args =
            verify_image::Args::of_image(ami.to_owned(), checks.to_owned(), username, target, context.output);
        verify_image::run(args).await?;
        let tag = Tag::builder().key(CHECKS_TAG).value(digest).build();
        let tagged = clients.ec2.create_tags().resources(ami).tags(tag).send().await;
        tagged.map(drop).map_err(|error| sdk("CreateTags", error).into())
    }
}

/// Whether an image has passed these checks.
async fn passed(clients: &Clients, ami: &str, digest: &str) -> Result<bool, Failure> {
    let filter = Filter::builder().name(format!("tag:{CHECKS_TAG}")).values(digest).build();
    let found = clients.ec2.describe_images().image_ids(ami).filters(filter).send().await;
    let found = found.map_err(|error| sdk("DescribeImages", error))?;
    Ok(!found.images.unwrap_or_default().is_empty())
}

/// The newest image of ours with these inputs in a region.
async fn newest(entry: &Entry, region: &str) -> Result<Option<String>, Failure> {
    let digest = entry.beginning.inputs.digest().to_string();
    let filter = |name: String, value: &str| Filter::builder().name(name).values(value).build();
    let request = entry
        .session()
        .ec2_in(region)
        .describe_images()
        .owners("self")
        .filters(filter(format!("tag:{INPUTS_TAG}"), &digest))
        .filters(filter("state".to_owned(), "available"));
    let found = request.send().await.map_err(|error| sdk("DescribeImages", error))?;
    let images = found.images.unwrap_or_default();
    Ok(images.into_iter().max_by(|a, b| created(a).cmp(created(b))).and_then(|image| image.image_id))
}

/// When an image was made: ISO 8601 in UTC, whose order is that of its letters.
fn created(image: &Image) -> &str {
    image.creation_date.as_deref().unwrap_or_default()
}

fn foreign(config: &AmazonEbs) -> Foreign {
    let run = &config.run;
    let named = [&run.source_ami, &run.vpc_id, &run.subnet_id];
    let mut found = Foreign::default();
    named.into_iter().flatten().chain(&run.security_group_ids).for_each(|id| found.id(id));
    found
}

/// The build speaks as `drydock build` does.
fn console(output: OutputArgs) -> Arc<dyn Console> {
    match output.output {
        Format::Json => Arc::new(JsonLines::new(std::io::stdout())),
        Format::Text => Arc::new(Text::new(std::io::stdout(), crate::output::coloured(), false)),
    }
}
