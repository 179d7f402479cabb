//! Writing down how a build went: tags on its images, a record in the store.

use std::time::SystemTime;

use aws_sdk_ec2::types::Tag;
use jiff::Timestamp;

use super::{Facts, Record, Step, Store, StoreError};
use crate::artifact::Artifact;
use crate::aws::{ApiError, Session};
use crate::build::{BuildOutcome, StepRecord};
use crate::inputs::Inputs;

/// What is known of a build before it starts.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// What it is made from.
    pub inputs: Inputs,
    /// The source image.
    pub source_ami: String,
    /// The template's file, absolute.
    pub template: String,
    /// The machine that the program runs on.
    pub host: String,
    /// When it began.
    pub started: Timestamp,
}

/// Why a build could not be written down. The image is there all the same.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The image could not be tagged.
    #[error(
        "{ami} in {region} could not be tagged with what it was built from, so `up` will build it again: {source}"
    )]
    Tags {
        /// The image.
        ami: String,
        /// Its region.
        region: String,
        /// Why not.
        source: ApiError,
    },
    /// The record could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes down how a build went that made images: for each of them, in all regions.
///
/// # Errors
/// When a tag or a record could not be written; the others have been.
pub async fn keep(
    session: &Session,
    beginning: &Beginning,
    outcome: &BuildOutcome,
    store: &Store,
) -> Result<(), KeepError> {
    let mut result = Ok(());
    let images: Vec<&Artifact> = outcome.artifacts.iter().filter(|made| !made.amis.is_empty()).collect();
    for (region, ami) in images.first().into_iter().flat_map(|made| &made.amis) {
        let record = record(beginning, outcome, region, ami);
        // The record first: it costs nothing, and the tags say that it is there.
        let kept = store.put(&record).map(drop).map_err(KeepError::from);
        let tagged = tag(session, &record).await;
        result = result.and(kept).and(tagged);
    }
    result
}

async fn tag(session: &Session, record: &Record) -> Result<(), KeepError> {
    let tags =
        Facts::of(record).tags().into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    let request =
        session.ec2_in(&record.region).create_tags().resources(&record.ami).set_tags(Some(tags.collect()));
    let sent = request.send().await.map_err(|error| ApiError::of("CreateTags", error));
    sent.map(drop).map_err(|source| KeepError::Tags {
        ami: record.ami.clone(),
        region: record.region.clone(),
        source,
    })
}

fn record(beginning: &Beginning, outcome: &BuildOutcome, region: &str, ami: &str) -> Record {
    Record {
        ami: ami.to_owned(),
        region: region.to_owned(),
        template: beginning.template.clone(),
        build: outcome.name.clone(),
        source_ami: beginning.source_ami.clone(),
        inputs: beginning.inputs.digest().to_string(),
        started: beginning.started,
        seconds: outcome.took.as_secs_f64(),
        by: concat!("drydock ", env!("CARGO_PKG_VERSION")).to_owned(),
        host: beginning.host.clone(),
        steps: outcome.steps.iter().map(step).collect(),
    }
}

fn step(record: &StepRecord) -> Step {
    Step {
        title: record.name.clone(),
        started: time(record.started),
        seconds: record.took.as_secs_f64(),
        exit: record.exit,
        error: record.error.clone(),
        output: record.output.clone(),
    }
}

/// A time of the clock; what it cannot say is the beginning of time.
fn time(time: SystemTime) -> Timestamp {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH)
}
