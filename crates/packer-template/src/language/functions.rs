//! The functions that a template can call: Packer's, then Go's.

use super::{
    ExpressionError, builtins,
    evaluate::{Argument, Scope, Section},
    gotime,
};
use template_text::suggest::did_you_mean;

use crate::{
    context::{BuildData, Context, PACKER_VERSION},
    field::Field,
};

/// Packer's functions that are supported.
const PACKER: [&str; 19] = [
    "build",
    "build_name",
    "build_type",
    "clean_resource_name",
    "env",
    "isotime",
    "lower",
    "packer_version",
    "pwd",
    "replace",
    "replace_all",
    "sed",
    "split",
    "strftime",
    "template_dir",
    "timestamp",
    "upper",
    "user",
    "uuid",
];

/// Packer's functions that ask a secret store.
const REFUSED: [&str; 3] = ["aws_secretsmanager", "consul_key", "vault"];

/// The names of all functions, those that are refused among them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PACKER.into_iter().chain(REFUSED).chain(builtins::NAMES)
}

/// Calls a function.
pub(super) fn call(
    name: &str,
    offset: usize,
    arguments: Vec<Argument>,
    scope: &Scope<'_>,
) -> Result<Field, ExpressionError> {
    if REFUSED.contains(&name) {
        return Err(ExpressionError::new(offset, format!("the template function '{name}' is not supported"))
            .help(
                "hand the value in as a variable: -var NAME=VALUE, or {{env `NAME`}} as a variable's default",
            ));
    }
    if !PACKER.contains(&name) {
        return builtins::call(name, offset, arguments);
    }
    let mut call = Call { name, offset, arguments: arguments.into_iter(), taken: 0 };
    call.packer(scope)
}

/// A call of one of Packer's functions, whose arguments are taken one after the other.
struct Call<'a> {
    name: &'a str,
    offset: usize,
    arguments: std::vec::IntoIter<Argument>,
    taken: usize,
}

impl Call<'_> {
    fn packer(&mut self, scope: &Scope<'_>) -> Result<Field, ExpressionError> {
        let context = scope.context;
        let text = match self.name {
            "build" => self.build(context)?,
            "build_name" => self.of_build(context, |build| build.name.as_str())?,
            "build_type" => self.of_build(context, |build| build.builder_type.as_str())?,
            "clean_resource_name" => self.clean(scope)?,
            "env" => self.env(scope)?,
            "isotime" => self.isotime(context)?,
            "lower" => self.only_text()?.to_lowercase(),
            "packer_version" => self.of_build(context, |_| PACKER_VERSION)?,
            "pwd" => self.nothing(&context.host.cwd.to_string_lossy())?,
            "replace" => self.replace()?,
            "replace_all" => self.replace_all()?,
            "sed" => {
                return Err(self
                    .error("the template function 'sed' is gone from Packer")
                    .help("use replace or replace_all"));
            }
            "split" => self.split()?,
            "strftime" => self.strftime(context)?,
            "template_dir" => self.template_dir(context)?,
            "timestamp" => self.nothing(&context.host.start.as_second().to_string())?,
            "upper" => self.only_text()?.to_uppercase(),
            "user" => self.user(scope)?,
            "uuid" => self.nothing(&(context.host.uuid)())?,
            other => return Err(self.error(format!("there is no template function '{other}'"))),
        };
        Ok(Field::String(text))
    }

    fn error(&self, message: impl Into<String>) -> ExpressionError {
        ExpressionError::new(self.offset, message)
    }

    fn wrong_count(&self) -> ExpressionError {
        self.error(format!("wrong number of arguments for the template function '{}'", self.name))
    }

    fn next(&mut self) -> Result<Argument, ExpressionError> {
        self.taken += 1;
        self.arguments.next().ok_or_else(|| self.wrong_count())
    }

    fn text(&mut self) -> Result<String, ExpressionError> {
        let Argument { value, offset } = self.next()?;
        match value {
            Field::String(text) => Ok(text),
            other => {
                let message = format!("'{}' wants a string here, not {}", self.name, builtins::kind(&other));
                Err(ExpressionError::new(offset, message))
            }
        }
    }

    fn number(&mut self) -> Result<i64, ExpressionError> {
        let Argument { value, offset } = self.next()?;
        match value {
            Field::Int(number) => Ok(number),
            other => {
                let message =
                    format!("'{}' wants a whole number here, not {}", self.name, builtins::kind(&other));
                Err(ExpressionError::new(offset, message))
            }
        }
    }

    fn end(&mut self) -> Result<(), ExpressionError> {
        if self.arguments.next().is_some() { Err(self.wrong_count()) } else { Ok(()) }
    }

    fn only_text(&mut self) -> Result<String, ExpressionError> {
        let text = self.text()?;
        self.end()?;
        Ok(text)
    }

    fn nothing(&mut self, value: &str) -> Result<String, ExpressionError> {
        self.end()?;
        Ok(value.to_owned())
    }

    fn of_build(
        &mut self,
        context: &Context,
        value: impl Fn(&BuildData) -> &str,
    ) -> Result<String, ExpressionError> {
        self.end()?;
        match &context.build {
            Some(build) => Ok(value(build).to_owned()),
            None => Err(self.error(format!("'{}' is known only inside of a build", self.name))),
        }
    }

    fn build(&mut self, context: &Context) -> Result<String, ExpressionError> {
        let key = self.only_text()?;
        let values = context.build.as_ref().map(|build| &build.values);
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            return Err(self
                .error(format!("there is no build variable '{key}' here"))
                .help("provisioners and post-processors have build variables, builders have their own fields, such as {{ .SourceAMI }}"));
        };
        values.get(&key).cloned().ok_or_else(|| {
            let error = self.error(format!("there is no build variable '{key}'"));
            let known = || format!("there are {}", values.keys().cloned().collect::<Vec<_>>().join(", "));
            error.help(did_you_mean(&key, values.keys().map(String::as_str)).unwrap_or_else(known))
        })
    }

    fn clean(&mut self, scope: &Scope<'_>) -> Result<String, ExpressionError> {
        let name = self.only_text()?;
        match scope.section {
            Section::Options { amazon: true } => Ok(clean_resource_name(&name)),
            _ => Err(self.error("'clean_resource_name' is a function of builders only")),
        }
    }

    fn env(&mut self, scope: &Scope<'_>) -> Result<String, ExpressionError> {
        let name = self.only_text()?;
        match scope.section {
            Section::Variables(_) => Ok(scope.context.host.env.get(&name).cloned().unwrap_or_default()),
            Section::Options { .. } => {
                Err(self.error("'env' is allowed in the defaults of variables only").help(format!(
                    "declare a variable with the default {{{{env `{name}`}}}} and use {{{{user `…`}}}} here"
                )))
            }
        }
    }

    fn user(&mut self, scope: &Scope<'_>) -> Result<String, ExpressionError> {
        let name = self.only_text()?;
        match scope.section {
            Section::Variables(values) => values.get(&name).cloned().ok_or_else(|| {
                let mut error = self.error(format!("the variable '{name}' has no value"));
                error.unset = Some(name);
                error
            }),
            Section::Options { .. } => {
                let variables = &scope.context.variables;
                if let Some(value) = variables.get(&name) {
                    return Ok(value.to_owned());
                }
                if variables.failed.contains(&name) {
                    let mut error = self.error(format!("the variable '{name}' has no value"));
                    error.unset = Some(name);
                    return Err(error);
                }
                let hint = did_you_mean(&name, variables.iter().map(|(name, _)| name));
                let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                scope.remark(
                    self.offset,
                    format!("the variable '{name}' is not declared and becomes an empty string, as in Packer{hint}"),
                );
                Ok(String::new())
            }
        }
    }

    fn isotime(&mut self, context: &Context) -> Result<String, ExpressionError> {
        // Go's time.RFC3339.
        let layout = match self.arguments.len() {
            0 => "2006-01-02T15:04:05Z07:00".to_owned(),
            _ => self.text()?,
        };
        self.end()?;
        Ok(gotime::format(context.host.start, &layout))
    }

    fn strftime(&mut self, context: &Context) -> Result<String, ExpressionError> {
        let format = self.only_text()?;
        let time = context.host.start.to_zoned(jiff::tz::TimeZone::UTC);
        jiff::fmt::strtime::format(&format, &time)
            .map_err(|error| self.error(format!("strftime cannot use '{format}': {error}")))
    }

    fn template_dir(&mut self, context: &Context) -> Result<String, ExpressionError> {
        self.end()?;
        match context.host.template.as_deref().and_then(std::path::Path::parent) {
            Some(directory) => Ok(directory.to_string_lossy().into_owned()),
            None => Err(self.error("'template_dir' is not known: the template came by standard input")),
        }
    }

    fn split(&mut self) -> Result<String, ExpressionError> {
        let (text, separator, index) = (self.text()?, self.text()?, self.number()?);
        self.end()?;
        let parts: Vec<String> = match separator.as_str() {
            // Go splits after each character.
            "" => text.chars().map(String::from).collect(),
            _ => text.split(&separator).map(str::to_owned).collect(),
        };
        let part = usize::try_from(index).ok().and_then(|index| parts.get(index));
        part.cloned().ok_or_else(|| {
            let count = parts.len();
            self.error(format!("split has no part {index}: '{text}' has {count} between '{separator}'"))
        })
    }

    fn replace(&mut self) -> Result<String, ExpressionError> {
        let (old, new, count, text) = (self.text()?, self.text()?, self.number()?, self.text()?);
        self.end()?;
        Ok(match usize::try_from(count) {
            Ok(count) => text.replacen(&old, &new, count),
            // A negative count means all.
            Err(_) => text.replace(&old, &new),
        })
    }

    fn replace_all(&mut self) -> Result<String, ExpressionError> {
        let (old, new, text) = (self.text()?, self.text()?, self.text()?);
        self.end()?;
        Ok(text.replace(&old, &new))
    }
}

/// The name with every byte that an AMI's name must not have replaced by a dash.
pub(crate) fn clean_resource_name(name: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"()[] ./-'@_".contains(&byte);
    name.bytes().map(|byte| if allowed(byte) { char::from(byte) } else { '-' }).collect()
}
