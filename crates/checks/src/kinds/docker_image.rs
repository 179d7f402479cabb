//! `[[docker_image]]`: what Docker has stored.

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::verdict::Findings;

/// An image that Docker must have, or not. Docker must run to be asked.
#[derive(Debug)]
struct DockerImage {
    image: String,
    present: bool,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let image: Option<String> = entry.required("image");
    let present = entry.optional("present").unwrap_or(true);
    let good = |image: &String| {
        image.starts_with(|c: char| c.is_ascii_alphanumeric())
            && image.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c))
    };
    if let Some(image) = image.as_ref().filter(|image| !good(image)) {
        entry.complain(
            Some("image"),
            format!("\"{image}\" is no reference of an image, such as \"nginx:1.27\""),
        );
    }
    super::one(image.map(|image| DockerImage { image, present }))
}

impl DockerImage {
    fn question(&self) -> Question {
        Question::new(format!("exec docker image inspect --format '{{{{.Id}}}}' {}", quote(&self.image)))
    }
}

impl Expectation for DockerImage {
    fn subject(&self) -> String {
        self.image.clone()
    }

    fn claim(&self) -> String {
        let has = if self.present { "has" } else { "does not have" };
        format!("Docker {has} the image {}", self.image)
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let answer = answers.to(&self.question())?.complete()?;
        let id = match answer.exit {
            0 => Some(answer.stdout.trim()),
            // Docker exits with 1 for every failure; this one has always had these words in it.
            1 if answer.stderr.to_lowercase().contains("no such image") => None,
            _ => return Err(answer.failure()),
        };
        let expected = if self.present { "the image" } else { "no such image" };
        let mut findings = Findings::default();
        findings.expect(id.is_some() == self.present, expected, id.unwrap_or("no such image"));
        Ok(findings)
    }
}
