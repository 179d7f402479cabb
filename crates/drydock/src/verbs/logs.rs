//! `drydock logs`: the log events of a stack's instances, as they were and as they come.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use aws_clients::{ApiError, Target, config};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use log_viewer::aws::Aws;
use log_viewer::follow::{FollowError, Order, Pace, Screen, follow};
use log_viewer::history::{Merged, latest};
use log_viewer::place::{mark, of_message};
use log_viewer::selection::{Scope, Selection};
use log_viewer::service::{Group, Question, Span, Stacks};
use log_viewer::show::{JsonLines, Plain, Terminal};
use log_viewer::{groups, names, query, time};

use crate::exit::{Failure, OK};
use crate::output::{self, Format, OutputArgs};
use crate::project::stack_of;
use crate::target::TargetArgs;

/// Shows the log events of a stack's instances, of all of them in order of time
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drydock logs                              the last ten minutes of the stack's instances
  drydock logs --follow                     and whatever comes
  drydock logs ecs-agent ecs-init -f        two of its log groups
  drydock logs --instance i-0123456789abcdef0 --since 2h
  drydock logs --filter '?error ?timeout -debug' --since 09:30
  drydock logs messages -n 20               the last 20 events, however old
  drydock logs --groups                     the log groups, their sizes and newest events
  drydock logs --query 'filter @message like /error/ | stats count(*) by @logStream' --since 1d
  drydock logs --target aws --stack todobackend -f --output json

A GROUP is a log group's name, its beginning, or its end. Without --stack the stack is that of the
folder's drydock.toml or template, else the one that was made last.
On a terminal times are your own; in a pipe, whole and in UTC.")]
pub struct Args {
    /// Log groups, by name, beginning or end; all of the stack's when none
    #[arg(value_name = "GROUP")]
    asked: Vec<String>,
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short, conflicts_with_all = ["until", "query", "list"])]
    follow: bool,
    /// From when on: how long ago (90s, 10m, 2h, 1d) or when (09:30, 2026-11-20, 2026-11-20T09:30:00Z); 10m when
    /// not given, and without a beginning when --limit is
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,
    /// Until when, as --since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
    /// Only events that match CloudWatch Logs' filter pattern
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true, conflicts_with_all = ["query", "list"])]
    filter: Option<String>,
    /// Only this instance's streams: those whose names begin with it
    #[arg(long, value_name = "ID", conflicts_with_all = ["query", "list"])]
    instance: Option<String>,
    /// The stack whose log groups are meant: those named /STACK/… and those among its resources
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
    /// At most the last N events; of a query, the first N rows
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    limit: Option<i32>,
    /// Run a Logs Insights query over the groups
    #[arg(long, value_name = "QUERY", conflicts_with = "list")]
    query: Option<String>,
    /// List the log groups with their sizes and newest events
    #[arg(long = "groups", id = "list")]
    list: bool,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// How far back events are shown when nothing else is said, in milliseconds.
const LATELY: i64 = 600_000;

/// How much is written at a time, where nobody waits for it.
const BUFFER: usize = 65_536;

fn moment(text: &str) -> Result<Timestamp, time::TimeError> {
    time::moment(text, &Zoned::now())
}

/// Runs the verb.
pub async fn run(mut args: Args) -> Result<(), Failure> {
    let here = args.stack_here(Path::new("."))?;
    let target = args.target.resolve().await?;
    let config = config::of_target(&target).await.map_err(|error| Failure::config(error.to_string()))?;
    let aws = Arc::new(Aws::new(&config));
    let scope = args.scope(here, &*aws).await?;
    let selection = Selection::new(aws.clone(), aws.clone(), scope.clone(), args.asked.clone());
    let viewer = Viewer { args: &args, logs: aws, scope, now: Timestamp::now().as_millisecond() };
    let done = match () {
        () if args.list => viewer.list(&selection).await,
        () if args.follow => viewer.follow(&selection, &target).await,
        () => match &args.query {
            Some(query) => viewer.query(&selection, query).await,
            None => viewer.show(&selection).await,
        },
    };
    done.map_err(|failure| with_place(failure, args.filter.as_deref()))
}

/// A refused filter pattern is shown, with a mark where the service says that it is wrong.
fn with_place(failure: Failure, filter: Option<&str>) -> Failure {
    let pattern =
        filter.filter(|_| failure.message.as_deref().is_some_and(|it| it.contains("filter pattern")));
    let Some(pattern) = pattern else { return failure };
    let shown = |message: String| format!("{message}\n{}", mark(pattern, of_message(&message, pattern)));
    Failure { message: failure.message.map(shown), ..failure }
}

impl Args {
    /// The stack of a folder, and with it its region, if nobody has said another.
    fn stack_here(&mut self, dir: &Path) -> Result<Option<String>, Failure> {
        if self.stack.is_some() {
            return Ok(None);
        }
        let is_ours = dir.join("drydock.toml").is_file();
        match stack_of(&[dir.to_owned()], None) {
            Ok((name, region)) => {
                self.target.region = self.target.region.take().or(region);
                Ok(Some(name))
            }
            Err(failure) if is_ours => Err(failure),
            // A folder like any other.
            Err(_) => Ok(None),
        }
    }

    /// Among which groups is looked: the named stack's, the folder's, else the one's that was made last.
    async fn scope(&self, here: Option<String>, stacks: &dyn Stacks) -> Result<Scope, Failure> {
        if let Some(name) = self.stack.clone() {
            return Ok(Scope::Stack { name, or_region: false });
        }
        let found = match here {
            Some(name) => Some(name),
            None => newest(stacks).await?,
        };
        Ok(found.map_or(Scope::Region, |name| Scope::Stack { name, or_region: true }))
    }

    fn question(&self) -> Question {
        Question { filter: self.filter.clone(), stream_prefix: self.instance.clone() }
    }
}

/// The stack that was made last. Who may not see stacks may still see logs.
async fn newest(stacks: &dyn Stacks) -> Result<Option<String>, Failure> {
    let names = match stacks.names().await {
        Err(ApiError::Refused { .. }) => return Ok(None),
        names => names?,
    };
    if let [newest, _, ..] = names.as_slice() {
        say(&format!("stack {newest}, the newest of {}; --stack chooses another", names.len()));
    }
    Ok(names.into_iter().next())
}

/// What was written could not be. Who has seen enough (`head`) ends the command, and that is no failure.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::told(OK),
        _ => Failure::failed(format!("events cannot be written: {error}")),
    })
}

struct Viewer<'a> {
    args: &'a Args,
    logs: Arc<Aws>,
    scope: Scope,
    now: i64,
}

impl Viewer<'_> {
    async fn list(&self, selection: &Selection) -> Result<(), Failure> {
        let groups = selection.groups().await?;
        let facts = groups::facts(&*self.logs, &groups).await?;
        if facts.is_empty() && self.args.output.output == Format::Text {
            say(&self.nowhere());
            return Ok(());
        }
        self.args.output.print(&facts, || groups::table(&facts, self.now))
    }

    async fn query(&self, selection: &Selection, text: &str) -> Result<(), Failure> {
        let groups = self.some_groups(selection).await?;
        if groups.is_empty() {
            return Ok(());
        }
        let span = Span { until: Some(self.until().unwrap_or(self.now)), ..self.span() };
        let results = query::run(&*self.logs, &groups, text, span, self.args.limit).await?;
        self.args.output.print(&query::documents(&results), || query::table(&results))?;
        if self.args.output.output == Format::Text {
            say(&query::effort(&results));
        }
        Ok(())
    }

    async fn follow(&self, selection: &Selection, target: &Target) -> Result<(), Failure> {
        let pace = match target {
            Target::Local { .. } => Pace::local(),
            Target::Aws { .. } => Pace::aws(),
        };
        let order = Order {
            question: self.args.question(),
            since: self.span().from,
            limit: self.limit(),
            now: self.now,
        };
        let mut screen = self.screen(true);
        match follow(self.logs.clone(), selection, order, pace, &mut *screen).await {
            Err(FollowError::Write(error)) => written(Err(error)),
            Err(FollowError::Api(error)) => Err(error.into()),
            Err(FollowError::Selection(error)) => Err(error.into()),
            Ok(()) => Ok(()),
        }
    }

    async fn show(&self, selection: &Selection) -> Result<(), Failure> {
        let groups = self.some_groups(selection).await?;
        let names: Vec<Arc<str>> = groups.iter().map(|group| group.name.clone()).collect();
        let mut screen = self.screen(false);
        screen.groups(&names);
        let (logs, question) = (&*self.logs, self.args.question());
        let mut shown: usize = 0;
        match self.limit() {
            Some(limit) => {
                for event in latest(logs, &names, &question, self.span(), self.now, limit).await? {
                    written(screen.show(&event))?;
                    shown += 1;
                }
            }
            None => {
                let mut merged = Merged::new(logs, &names, &question, self.span());
                while let Some(event) = merged.next().await? {
                    written(screen.show(&event))?;
                    shown += 1;
                }
            }
        }
        written(screen.finish())?;
        if shown == 0 && !groups.is_empty() {
            say(&self.nothing(&groups).await?);
        }
        Ok(())
    }

    /// The groups; says so when there are none.
    async fn some_groups(&self, selection: &Selection) -> Result<Vec<Group>, Failure> {
        let groups = selection.groups().await?;
        if groups.is_empty() {
            say(&self.nowhere());
        }
        Ok(groups)
    }

    /// Where no groups were found.
    fn nowhere(&self) -> String {
        match &self.scope {
            Scope::Region => "there are no log groups".to_owned(),
            Scope::Stack { name, .. } => format!(
                "stack {name} has no log groups: none is named /{name}/… and none is among its resources; \
                 --stack NAME chooses another stack"
            ),
        }
    }

    /// What was looked at and for, when no event was found.
    async fn nothing(&self, groups: &[Group]) -> Result<String, Failure> {
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_ref()).collect();
        let mut text = "no events".to_owned();
        if self.span().from > 0 {
            text += &format!(" in the last {}", time::ago(self.span().from, self.now));
        }
        if let Some(pattern) = &self.args.filter {
            text += &format!(" that match {pattern}");
        }
        if let Some(instance) = &self.args.instance {
            text += &format!(" of {instance}");
        }
        text += &format!(" in {}", names::short_names(&names).join(", "));
        match groups::newest(&*self.logs, groups).await? {
            None => text += "; there are no events at all",
            Some(newest) if newest < self.span().from => {
                let (ago, since) = (time::ago(newest, self.now), time::reaching(newest, self.now));
                text += &format!("; the newest is {ago} old: --since {since}");
            }
            Some(_) => {}
        }
        Ok(text)
    }

    fn until(&self) -> Option<i64> {
        self.args.until.map(Timestamp::as_millisecond)
    }

    fn span(&self) -> Span {
        let lately =
            || if self.args.limit.is_some() && self.args.query.is_none() { 0 } else { self.now - LATELY };
        Span { from: self.args.since.map_or_else(lately, Timestamp::as_millisecond), until: self.until() }
    }

    fn limit(&self) -> Option<usize> {
        self.args.limit.and_then(|limit| usize::try_from(limit).ok())
    }

    /// Where events are shown. Of events that come live each is written at once.
    fn screen(&self, is_live: bool) -> Box<dyn Screen> {
        let stdout = io::stdout();
        if stdout.is_terminal() && self.args.output.output == Format::Text {
            let now = Timestamp::from_millisecond(self.now).unwrap_or_default();
            return Box::new(Terminal::new(stdout, say, TimeZone::system(), now, output::coloured()));
        }
        let out: Box<dyn Write + Send> =
            if is_live { Box::new(stdout) } else { Box::new(io::BufWriter::with_capacity(BUFFER, stdout)) };
        match self.args.output.output {
            Format::Json => Box::new(JsonLines::new(out, say, output::nobody_reads)),
            Format::Text => Box::new(Plain::new(out, say, output::nobody_reads)),
        }
    }
}

/// A sentence for people, beside the events.
fn say(text: &str) {
    // Who has gone is not told.
    let _ = writeln!(io::stderr(), "drydock: {text}");
}
