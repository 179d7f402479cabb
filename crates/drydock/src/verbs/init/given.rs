//! The answers that options give.

use crate::exit::Failure;
use crate::init::answers::{Answers, Environment};
use crate::init::valid;
use template_text::suggest::did_you_mean;

/// One option for each answer.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Given {
    /// The region that image and stack go to [default: us-east-1]
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// The instances' time zone [default: UTC]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// An environment, with a file of parameters of its own; may be given again. The first one is the one that `drydock
    /// up` means [default: dev, prod]
    #[arg(long, value_name = "NAME")]
    pub environment: Vec<String>,
    /// The instances' type [default: t3.micro; t3.small in prod]
    #[arg(long, value_name = "[ENVIRONMENT=]TYPE")]
    pub instance_type: Vec<Scoped>,
    /// How many instances [default: 1; 2 in prod]
    #[arg(long, value_name = "[ENVIRONMENT=]N")]
    pub desired_count: Vec<Scoped>,
    /// For how many days logs are kept [default: 7; 90 in prod]
    #[arg(long, value_name = "[ENVIRONMENT=]DAYS")]
    pub log_retention: Vec<Scoped>,
    /// The HTTP proxy on the way to AWS, or `none` [default: none]
    #[arg(long, value_name = "[ENVIRONMENT=]URL")]
    pub proxy: Vec<Scoped>,
    /// The VPC of your AWS account [default: an id that the local cloud makes a twin of]
    #[arg(long, value_name = "[ENVIRONMENT=]ID")]
    pub vpc_id: Vec<Scoped>,
    /// A subnet of it; may be given again [default: the same]
    #[arg(long, value_name = "[ENVIRONMENT=]ID")]
    pub subnet_id: Vec<Scoped>,
}

/// A value for one environment, or for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scoped {
    environment: Option<String>,
    value: String,
}

impl From<&str> for Scoped {
    fn from(text: &str) -> Self {
        match text.split_once('=') {
            // A proxy's address may have an equals sign, but no environment is called like the part before it.
            Some((name, value)) if valid::environment(name).is_ok() => {
                Self { environment: Some(name.to_owned()), value: value.to_owned() }
            }
            _ => Self { environment: None, value: text.to_owned() },
        }
    }
}

/// The values for an environment: its own if there are any, else those for all.
fn values<'a>(given: &'a [Scoped], environment: &str) -> Vec<&'a str> {
    let of = |scope: Option<&str>| -> Vec<&'a str> {
        let fitting = given.iter().filter(|one| one.environment.as_deref() == scope);
        fitting.map(|one| one.value.as_str()).collect()
    };
    match of(Some(environment)) {
        own if own.is_empty() => of(None),
        own => own,
    }
}

/// The last of them.
fn value<'a>(given: &'a [Scoped], environment: &str) -> Option<&'a str> {
    values(given, environment).last().copied()
}

/// The text for a proxy, as `valid::proxy` takes it.
pub fn proxy_text(text: &str) -> &str {
    if text == "none" { "" } else { text }
}

impl Given {
    /// Tells everything that is wrong with the options, at once.
    ///
    /// # Errors
    /// When something is.
    pub fn check(&self, name: Option<&str>) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        let mut look = |option: &str, found: Result<(), String>| {
            wrong.extend(
                found.err().map(|error| if option.is_empty() { error } else { format!("{option}: {error}") }),
            );
        };
        look("", name.map_or(Ok(()), valid::name));
        look("--region", self.region.as_deref().map_or(Ok(()), valid::region));
        look("--time-zone", self.time_zone.as_deref().map_or(Ok(()), valid::time_zone));
        for (at, environment) in self.environment.iter().enumerate() {
            look("--environment", valid::environment(environment));
            if self.environment[..at].contains(environment) {
                look("--environment", Err(format!("{environment} is given twice")));
            }
        }
        for (option, given, rule) in self.scoped() {
            for one in given {
                look(option, self.known(one));
                look(option, rule(&one.value));
            }
        }
        match wrong.as_slice() {
            [] => Ok(()),
            [one] => Err(Failure::config(one.clone())),
            many => Err(Failure::config(format!(
                "{} answers cannot be used:\n  {}",
                many.len(),
                many.join("\n  ")
            ))),
        }
    }

    #[expect(clippy::type_complexity, reason = "it is a table")]
    fn scoped(&self) -> [(&'static str, &[Scoped], fn(&str) -> Result<(), String>); 6] {
        [
            ("--instance-type", &self.instance_type, valid::instance_type),
            ("--desired-count", &self.desired_count, |text| valid::desired_count(text).map(drop)),
            ("--log-retention", &self.log_retention, |text| valid::retention(text).map(drop)),
            ("--proxy", &self.proxy, |text| valid::proxy(proxy_text(text)).map(drop)),
            ("--vpc-id", &self.vpc_id, |text| valid::id("vpc", text)),
            ("--subnet-id", &self.subnet_id, |text| valid::id("subnet", text)),
        ]
    }

    /// Whether there is the environment that a value is for: one that an option names, or a usual one.
    fn known(&self, one: &Scoped) -> Result<(), String> {
        let Some(name) = &one.environment else { return Ok(()) };
        let names = self.environment_names();
        if names.contains(name) {
            return Ok(());
        }
        let hint = did_you_mean(name, names.iter().map(String::as_str));
        let hint = hint.unwrap_or_else(|| format!("there are {}", names.join(", ")));
        Err(format!("there is no environment {name}; {hint}"))
    }

    fn environment_names(&self) -> Vec<String> {
        if self.environment.is_empty() {
            return ["dev", "prod"].map(str::to_owned).into();
        }
        self.environment.clone()
    }

    /// The answers, with defaults for what no option says. The options have been checked.
    pub fn answers(&self, name: &str) -> Answers {
        let defaults = Answers::default_for(name);
        Answers {
            name: defaults.name,
            region: self.region.clone().unwrap_or(defaults.region),
            time_zone: self.time_zone.clone().unwrap_or(defaults.time_zone),
            environments: self.environment_names().iter().map(|name| self.environment_called(name)).collect(),
        }
    }

    /// An environment as the options have it.
    pub fn environment_called(&self, name: &str) -> Environment {
        let mut environment = Environment::default_for(name);
        if let Some(text) = value(&self.instance_type, name) {
            environment.instance_type = text.to_owned();
        }
        if let Some(Ok(count)) = value(&self.desired_count, name).map(valid::desired_count) {
            environment.desired_count = count;
        }
        if let Some(Ok(days)) = value(&self.log_retention, name).map(valid::retention) {
            environment.log_retention_days = days;
        }
        if let Some(Ok(proxy)) = value(&self.proxy, name).map(|text| valid::proxy(proxy_text(text))) {
            environment.proxy = proxy;
        }
        if let Some(id) = value(&self.vpc_id, name) {
            environment.vpc_id = id.to_owned();
        }
        let subnets = values(&self.subnet_id, name);
        if !subnets.is_empty() {
            environment.subnet_ids = subnets.into_iter().map(str::to_owned).collect();
        }
        environment
    }

    /// Whether an option speaks of an environment.
    pub fn says(given: &[Scoped], environment: &str) -> bool {
        value(given, environment).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scoped(texts: &[&str]) -> Vec<Scoped> {
        texts.iter().map(|text| Scoped::from(*text)).collect()
    }

    #[test]
    fn a_value_for_an_environment_wins_over_one_for_all() {
        let given = Given {
            desired_count: scoped(&["prod=4", "3"]),
            proxy: scoped(&["http://proxy:3128", "dev=none"]),
            subnet_id: scoped(&["prod=subnet-00000001", "prod=subnet-00000002"]),
            ..Given::default()
        };
        assert!(given.check(Some("shop")).is_ok());
        let [dev, prod] = &given.answers("shop").environments[..] else { panic!() };
        assert_eq!((dev.desired_count, prod.desired_count), (3, 4));
        assert_eq!(dev.proxy, None);
        assert_eq!(prod.proxy.as_ref().map(|proxy| proxy.port), Some(3128));
        assert_eq!(dev.subnet_ids, Environment::default_for("dev").subnet_ids);
        assert_eq!(prod.subnet_ids, ["subnet-00000001", "subnet-00000002"]);
    }

    #[test]
    fn without_options_there_are_the_defaults() {
        assert_eq!(Given::default().answers("shop"), Answers::default_for("shop"));
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let given = Given {
            region: Some("mars".to_owned()),
            environment: vec!["test".to_owned(), "test".to_owned()],
            desired_count: scoped(&["tset=1", "99"]),
            vpc_id: scoped(&["test=vpc-1"]),
            ..Given::default()
        };
        let message = given.check(Some("a b")).unwrap_err().message.unwrap();
        for words in [
            "6 answers cannot be used",
            "\"a b\" is no name for a stack",
            "--region: \"mars\"",
            "--environment: test is given twice",
            "--desired-count: there is no environment tset; did you mean 'test'?",
            "--desired-count: \"99\"",
            "--vpc-id: \"vpc-1\"",
        ] {
            assert!(message.contains(words), "{words}: {message}");
        }
    }
}
