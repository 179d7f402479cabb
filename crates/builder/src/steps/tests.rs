use std::sync::Arc;

use parking_lot::Mutex;

use super::*;

/// What the steps and the run said and did, in order.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    answers: Mutex<Vec<&'static str>>,
}

impl Log {
    fn add(&self, line: String) {
        self.lines.lock().push(line);
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.lines.lock())
    }
}

#[async_trait]
impl Ui for Log {
    fn say(&self, message: &str) {
        self.add(format!("say {message}"));
    }
    fn message(&self, message: &str) {
        self.add(format!("message {message}"));
    }
    fn error(&self, message: &str) {
        self.add(format!("error {message}"));
    }
    fn machine(&self, _category: &str, _values: &[&str]) {}
    async fn ask(&self, question: &str) -> Option<String> {
        let kind = question.split(' ').next().unwrap_or_default();
        self.add(format!("ask {kind}"));
        self.answers.lock().pop().map(str::to_owned)
    }
}

/// A step that does as it is told and writes down what it does.
struct Told {
    name: &'static str,
    log: Arc<Log>,
    /// How often it fails before it works.
    failures: usize,
    /// Cancels the run while it runs.
    cancels: Option<CancellationToken>,
    leaves: bool,
}

#[async_trait]
impl Step<usize, String> for Told {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn run(&mut self, state: &mut usize, scope: Scope<'_>) -> Result<(), String> {
        *state += 1;
        self.log.add(format!("run {}", self.name));
        if let Some(cancel) = &self.cancels {
            cancel.cancel();
            scope.cancel.cancelled().await;
            return Err("interrupted".to_owned());
        }
        if self.failures > 0 {
            self.failures -= 1;
            return Err(format!("{} does not work", self.name));
        }
        Ok(())
    }

    async fn cleanup(&mut self, _state: &mut usize, _ui: &dyn Ui, outcome: Outcome) -> Vec<Leftover> {
        self.log.add(format!("clean {} {outcome:?}", self.name));
        if self.leaves {
            let (what, why, remove) = ("a thing".to_owned(), "in use".to_owned(), "rm thing".to_owned());
            return vec![Leftover { what, why, remove }];
        }
        Vec::new()
    }
}

struct Run {
    log: Arc<Log>,
    cancel: CancellationToken,
    on_error: OnError,
    debug: bool,
    keep: bool,
    steps: Vec<Told>,
}

impl Run {
    fn of(names: &[&'static str]) -> Self {
        let log = Arc::new(Log::default());
        let told =
            |name: &&'static str| Told { name, log: log.clone(), failures: 0, cancels: None, leaves: false };
        Self {
            steps: names.iter().map(told).collect(),
            log: log.clone(),
            cancel: CancellationToken::new(),
            on_error: OnError::Cleanup,
            debug: false,
            keep: false,
        }
    }

    async fn go(self) -> (Result<(), Stopped<String>>, Vec<String>) {
        let runner = Runner {
            on_error: self.on_error,
            debug: self.debug,
            keep: self.keep,
            ui: &*self.log,
            cancel: &self.cancel,
        };
        let steps = self.steps.into_iter().map(|step| Box::new(step) as Box<dyn Step<usize, String>>);
        let result = runner.run(steps.collect(), &mut 0).await;
        (result, self.log.taken())
    }
}

#[tokio::test]
async fn steps_run_in_order_and_are_cleaned_up_in_reverse() {
    let (result, log) = Run::of(&["a", "b"]).go().await;
    assert!(result.is_ok());
    assert_eq!(log, ["run a", "run b", "clean b Done", "clean a Done"]);
}

#[tokio::test]
async fn what_is_to_be_kept_is_kept_only_when_all_went_well() {
    let kept = Run { keep: true, ..Run::of(&["a"]) };
    let (result, log) = kept.go().await;
    assert!(result.is_ok());
    assert_eq!(log, ["run a"]);
    let mut failed = Run { keep: true, ..Run::of(&["a"]) };
    failed.steps[0].failures = 1;
    let (_, log) = failed.go().await;
    assert_eq!(log, ["run a", "error a does not work", "clean a Failed"]);
}

#[tokio::test]
async fn a_failed_step_is_cleaned_up_too_and_later_ones_are_not_begun() {
    let mut run = Run::of(&["a", "b", "c"]);
    run.steps[1].failures = 1;
    let (result, log) = run.go().await;
    assert!(matches!(result, Err(Stopped::Failed { step: "b", .. })));
    assert_eq!(log, ["run a", "run b", "error b does not work", "clean b Failed", "clean a Failed"]);
}

#[tokio::test]
async fn what_a_cleanup_leaves_is_shown_and_stops_no_other() {
    let mut run = Run::of(&["a", "b"]);
    run.steps[1].leaves = true;
    let (result, log) = run.go().await;
    assert!(result.is_ok());
    assert_eq!(
        log[2..],
        ["clean b Done", "error a thing is left: in use\nRemove it by: rm thing", "clean a Done"]
    );
}

#[tokio::test]
async fn cancelled_in_any_step_all_begun_ones_are_cleaned_up_once() {
    let names = ["a", "b", "c"];
    for at in 0..names.len() {
        let mut run = Run::of(&names);
        run.steps[at].cancels = Some(run.cancel.clone());
        let (result, log) = run.go().await;
        assert!(matches!(result, Err(Stopped::Cancelled)));
        let runs = names[..=at].iter().map(|name| format!("run {name}"));
        let cleanups = names[..=at].iter().rev().map(|name| format!("clean {name} Cancelled"));
        assert_eq!(log, runs.chain(cleanups).collect::<Vec<_>>(), "cancelled in step {at}");
    }
}

#[tokio::test]
async fn cancelled_before_the_first_step_nothing_happens() {
    let run = Run::of(&["a"]);
    run.cancel.cancel();
    let (result, log) = run.go().await;
    assert!(matches!(result, Err(Stopped::Cancelled)));
    assert!(log.is_empty());
}

#[tokio::test]
async fn abort_leaves_everything_and_says_so() {
    let mut run = Run::of(&["a", "b"]);
    run.steps[1].failures = 1;
    run.on_error = OnError::Abort;
    let (_, log) = run.go().await;
    assert_eq!(
        log[2..],
        [
            "error b does not work",
            "error Step \"b\" failed, aborting...",
            "error aborted: skipping cleanup of step \"b\"",
            "error aborted: skipping cleanup of step \"a\"",
        ]
    );
}

#[tokio::test]
async fn abort_cleans_up_after_success() {
    let mut run = Run::of(&["a"]);
    run.on_error = OnError::Abort;
    assert_eq!(run.go().await.1, ["run a", "clean a Done"]);
}

#[tokio::test]
async fn asked_the_user_may_retry_abort_or_clean_up() {
    let mut run = Run::of(&["a"]);
    run.steps[0].failures = 2;
    run.on_error = OnError::Ask;
    *run.log.answers.lock() = vec!["c", "what", "r"];
    let (result, log) = run.go().await;
    assert!(matches!(result, Err(Stopped::Failed { step: "a", .. })));
    let told: Vec<&str> = log.iter().map(|line| line.split(' ').next().unwrap_or_default()).collect();
    assert_eq!(told, ["run", "error", "say", "ask", "run", "error", "say", "ask", "say", "ask", "clean"]);

    let mut run = Run::of(&["a"]);
    run.steps[0].failures = 1;
    run.on_error = OnError::Ask;
    *run.log.answers.lock() = vec!["a"];
    let (_, log) = run.go().await;
    assert_eq!(log.last().map(String::as_str), Some("error aborted: skipping cleanup of step \"a\""));
}

#[tokio::test]
async fn with_nobody_to_ask_it_is_cleaned_up() {
    let mut run = Run::of(&["a"]);
    run.steps[0].failures = 1;
    run.on_error = OnError::Ask;
    assert_eq!(run.go().await.1.last().map(String::as_str), Some("clean a Failed"));
}

#[tokio::test]
async fn debug_pauses_after_each_step_and_before_each_cleanup() {
    let mut run = Run::of(&["a"]);
    run.debug = true;
    assert_eq!(run.go().await.1, ["run a", "ask Pausing", "ask Pausing", "clean a Done"]);
}
