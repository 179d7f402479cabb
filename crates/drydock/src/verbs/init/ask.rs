//! Asking for what no option says.

use dialoguer::Input;
use dialoguer::theme::ColorfulTheme;

use super::given::Given;
use crate::exit::Failure;
use crate::init::answers::{Answers, Environment};
use crate::init::valid;
use crate::init::write::look;
use std::path::Path;

/// Who is asked.
pub trait Person {
    /// Asks until the answer fits; an empty answer is the default.
    ///
    /// # Errors
    /// When nobody answers.
    fn ask(&mut self, question: &str, default: &str, rule: Rule<'_>) -> Result<String, Failure>;
}

/// Tells what is wrong with an answer.
pub type Rule<'a> = &'a dyn Fn(&str) -> Result<(), String>;

/// The terminal.
pub struct Prompts {
    theme: ColorfulTheme,
}

impl Prompts {
    /// Questions on standard error.
    pub fn new() -> Self {
        Self { theme: ColorfulTheme::default() }
    }
}

impl Person for Prompts {
    fn ask(&mut self, question: &str, default: &str, rule: Rule<'_>) -> Result<String, Failure> {
        let mut input = Input::<String>::with_theme(&self.theme).with_prompt(question);
        input = match default {
            "" => input.allow_empty(true),
            default => input.default(default.to_owned()),
        };
        let checked = input.validate_with(|text: &String| rule(text.trim()));
        match checked.interact_text() {
            Ok(answer) => Ok(answer.trim().to_owned()),
            Err(error) => Err(Failure::failed(format!("{question}: {error}"))),
        }
    }
}

/// The answers: asked for, where no option gives them.
///
/// # Errors
/// When nobody answers.
pub fn answers(name: Option<&str>, given: &Given, person: &mut dyn Person) -> Result<Answers, Failure> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => person.ask("Name of the repository and its stack", "", &|text| {
            valid::name(text)?;
            look(Path::new(text)).map_err(|error| error.to_string())
        })?,
    };
    let mut answers = given.answers(&name);
    if given.region.is_none() {
        answers.region = person.ask("Region", &answers.region, &valid::region)?;
    }
    if given.time_zone.is_none() {
        answers.time_zone =
            person.ask("Time zone of the instances", &answers.time_zone, &valid::time_zone)?;
    }
    if given.environment.is_empty() {
        let names: Vec<&str> = answers.environments.iter().map(|of| of.name.as_str()).collect();
        let text = person
            .ask("Environments, the usual one first", &names.join(" "), &|text| list(text).map(drop))?;
        let names = list(&text).map_err(Failure::config)?;
        answers.environments = names.iter().map(|name| given.environment_called(name)).collect();
    }
    for environment in &mut answers.environments {
        details(environment, given, person)?;
    }
    Ok(answers)
}

fn details(environment: &mut Environment, given: &Given, person: &mut dyn Person) -> Result<(), Failure> {
    let name = environment.name.clone();
    let question = |what: &str| format!("{name}: {what}");
    if !Given::says(&given.instance_type, &name) {
        environment.instance_type = person.ask(
            &question("type of the instances"),
            &environment.instance_type,
            &valid::instance_type,
        )?;
    }
    if !Given::says(&given.desired_count, &name) {
        let default = environment.desired_count.to_string();
        let rule = |text: &str| valid::desired_count(text).map(drop);
        let text = person.ask(&question("how many instances"), &default, &rule)?;
        environment.desired_count = valid::desired_count(&text).map_err(Failure::config)?;
    }
    if !Given::says(&given.log_retention, &name) {
        let default = environment.log_retention_days.to_string();
        let rule = |text: &str| valid::retention(text).map(drop);
        let text = person.ask(&question("days that logs are kept"), &default, &rule)?;
        environment.log_retention_days = valid::retention(&text).map_err(Failure::config)?;
    }
    if !Given::says(&given.proxy, &name) {
        let rule = |text: &str| valid::proxy(text).map(drop);
        let text = person.ask(&question("HTTP proxy on the way to AWS, if any"), "", &rule)?;
        environment.proxy = valid::proxy(&text).map_err(Failure::config)?;
    }
    Ok(())
}

/// Names of environments, set apart by blanks or commas.
fn list(text: &str) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split([' ', ',']).filter(|name| !name.is_empty()) {
        valid::environment(name)?;
        if names.iter().any(|known| known == name) {
            return Err(format!("{name} is there twice"));
        }
        names.push(name.to_owned());
    }
    if names.is_empty() { Err("there must be one at least".to_owned()) } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::init::given::Scoped;

    /// Says the next of these; an empty one takes the default. Remembers the questions.
    struct Script {
        says: Vec<&'static str>,
        asked: Vec<String>,
    }

    impl Person for Script {
        fn ask(&mut self, question: &str, default: &str, rule: Rule<'_>) -> Result<String, Failure> {
            self.asked.push(question.to_owned());
            let said = self.says.remove(0);
            let answer = if said.is_empty() { default } else { said };
            rule(answer).map_err(Failure::config)?;
            Ok(answer.to_owned())
        }
    }

    #[test]
    fn whoever_takes_every_default_gets_the_defaults() {
        let mut person = Script { says: vec![""; 11], asked: Vec::new() };
        let answers = answers(Some("shop"), &Given::default(), &mut person).unwrap();
        assert_eq!(answers, Answers::default_for("shop"));
        assert_eq!(person.asked.len(), 11, "{:?}", person.asked);
    }

    #[test]
    fn only_what_no_option_says_is_asked() {
        let given = Given {
            region: Some("eu-west-1".to_owned()),
            time_zone: Some("UTC".to_owned()),
            desired_count: vec![Scoped::from("dev=3")],
            ..Given::default()
        };
        let says = vec!["no-such-place", "dev, test", "m5.large", "30", "proxy:3128", "", "2", "", ""];
        let mut person = Script { says, asked: Vec::new() };
        let answers = answers(None, &given, &mut person).unwrap();
        assert_eq!(answers.name, "no-such-place");
        let [dev, test] = &answers.environments[..] else { panic!("{answers:?}") };
        assert_eq!(
            (dev.instance_type.as_str(), dev.desired_count, dev.log_retention_days),
            ("m5.large", 3, 30)
        );
        assert_eq!(dev.proxy.as_ref().map(|proxy| proxy.url.as_str()), Some("http://proxy:3128"));
        assert_eq!((test.desired_count, test.proxy.as_ref()), (2, None));
        assert!(
            !person.asked.iter().any(|question| question == "dev: how many instances"),
            "{:?}",
            person.asked
        );
    }

    #[test]
    fn lists_of_environments() {
        assert_eq!(list("dev, prod  test").unwrap(), ["dev", "prod", "test"]);
        for (text, words) in [("", "one at least"), ("dev dev", "twice"), ("a.b", "cannot be the name")] {
            assert!(list(text).unwrap_err().contains(words), "{text}");
        }
    }
}
