//! The engine at work on toys.

use crate::cloudformation::testing::Bench;

const FLEET: &str = "
Resources:
  Pier: {Type: 'Test::Toy', Properties: {Size: 3}}
  Ship: {Type: 'Test::Toy', Properties: {Near: !Ref Pier, Size: !GetAtt Pier.Size}}
  Buoy: {Type: 'Test::Toy'}
";

fn named(told: &[String], expected: &[&str]) {
    assert_eq!(told, expected, "events differ");
}

#[tokio::test]
async fn a_stack_is_made_in_order_and_deleted_in_reverse() {
    let bench = Bench::new();
    bench.create("fleet", FLEET).unwrap();
    assert_eq!(bench.status("fleet"), "CREATE_IN_PROGRESS");
    bench.settle("fleet").await;
    let told = bench.told("fleet");
    let at = |what: &str| {
        told.iter().position(|event| event == what).unwrap_or_else(|| panic!("{what}: {told:#?}"))
    };
    assert!(at("Pier CREATE_COMPLETE") < at("Ship CREATE_IN_PROGRESS"));
    assert!(at("Buoy CREATE_IN_PROGRESS") < at("Pier CREATE_COMPLETE"), "what needs nothing begins at once");
    assert!(at("Ship CREATE_IN_PROGRESS") < at("Ship CREATE_IN_PROGRESS: Resource creation Initiated"));
    assert_eq!(told.first().unwrap(), "fleet CREATE_IN_PROGRESS: User Initiated");
    assert_eq!(told.last().unwrap(), "fleet CREATE_COMPLETE");
    assert_eq!(bench.toys().len(), 3);
    assert_eq!(bench.resource("fleet", "Ship").current.as_ref().unwrap().properties["Size"], 3);

    bench.delete("fleet").unwrap();
    bench.settle("fleet").await;
    assert_eq!(bench.status("fleet"), "DELETE_COMPLETE");
    assert!(bench.toys().is_empty());
    let deleted = bench.host.world.lock().deleted.clone();
    let place = |id: &str| deleted.iter().position(|deleted| deleted == id).unwrap();
    assert!(place("Ship") < place("Pier"), "{deleted:?}");
}

#[tokio::test]
async fn a_failed_creation_is_rolled_back() {
    let bench = Bench::new();
    bench.host.world.lock().refuse_create.insert("Ship".into());
    bench.host.world.lock().slow.insert("Buoy".into());
    bench.create("fleet", FLEET).unwrap();
    bench.settle("fleet").await;
    assert_eq!(bench.status("fleet"), "ROLLBACK_COMPLETE");
    assert!(bench.toys().is_empty(), "also what was still being made is gone");
    let told = bench.told("fleet");
    for event in [
        "Ship CREATE_FAILED: no Ship today",
        "Buoy CREATE_FAILED: Resource creation cancelled",
        "fleet ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Buoy, Ship]. Rollback requested by user.",
        "Buoy DELETE_COMPLETE",
        "Pier DELETE_COMPLETE",
    ] {
        assert!(told.iter().any(|known| known == event), "{event}: {told:#?}");
    }
    assert!(!told.iter().any(|event| event.starts_with("Ship DELETE")), "what was never made is not deleted");
}

#[tokio::test]
async fn what_an_interrupted_creation_made_is_found_again() {
    let bench = Bench::new();
    bench.host.world.lock().die_after_create.insert("Pier".into());
    bench.create("fleet", FLEET).unwrap();
    let (host, id) = (std::sync::Arc::clone(&bench.host), bench.stack("fleet").id.clone());
    let killed = tokio::spawn(async move {
        let engine = super::Engine::new(host);
        while engine.advance("us-east-1", &id).await.unwrap() == super::Advance::Moved {}
    });
    assert!(killed.await.unwrap_err().is_panic());
    let bench = bench.restart();
    assert_eq!(bench.toys().len(), 1, "made, but not yet known to be");
    bench.settle("fleet").await;
    assert_eq!(bench.status("fleet"), "CREATE_COMPLETE");
    assert_eq!(bench.host.world.lock().creations, 3, "nothing is made twice");
}

#[tokio::test]
async fn what_an_interrupted_creation_made_is_rolled_back_too() {
    let bench = Bench::new();
    bench.host.world.lock().die_after_create.insert("Ship".into());
    bench.create("fleet", FLEET).unwrap();
    let (host, id) = (std::sync::Arc::clone(&bench.host), bench.stack("fleet").id.clone());
    let killed = tokio::spawn(async move {
        let engine = super::Engine::new(host);
        while engine.advance("us-east-1", &id).await.unwrap() == super::Advance::Moved {}
    });
    assert!(killed.await.unwrap_err().is_panic());
    let bench = bench.restart();
    bench.delete("fleet").unwrap();
    bench.settle("fleet").await;
    assert_eq!(bench.status("fleet"), "DELETE_COMPLETE");
    assert!(bench.toys().is_empty());
}

#[tokio::test]
async fn an_update_changes_replaces_adds_and_removes() {
    let bench = Bench::new();
    bench.create("fleet", FLEET).unwrap();
    bench.settle("fleet").await;
    let pier = bench.resource("fleet", "Pier").shown_id.clone().unwrap();
    let before = bench.told("fleet").len();
    bench
        .update(
            "fleet",
            "
Resources:
  Pier: {Type: 'Test::Toy', Properties: {Name: north, Size: 3}}
  Ship: {Type: 'Test::Toy', Properties: {Near: !Ref Pier, Size: 9}}
  Dock: {Type: 'Test::Toy'}
",
        )
        .unwrap();
    bench.settle("fleet").await;
    assert_eq!(bench.status("fleet"), "UPDATE_COMPLETE");
    assert!(!bench.toys().contains(&pier) && bench.toys().contains(&"north".to_owned()));
    assert_eq!(bench.toys().len(), 3, "Buoy is gone, Dock has come");
    assert_eq!(bench.resource("fleet", "Ship").current.as_ref().unwrap().properties["Near"], "north");
    let told = bench.told("fleet").split_off(before);
    let cleanup = told.iter().position(|event| event.contains("CLEANUP_IN_PROGRESS")).unwrap();
    for (n, event) in told.iter().enumerate() {
        assert_eq!(event.contains("DELETE_"), n > cleanup && n + 1 < told.len(), "{told:#?}");
    }
    assert!(told.iter().any(|event| event
        == "Pier UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence creating one."));
}

#[tokio::test]
async fn a_failed_update_is_taken_back() {
    let bench = Bench::new();
    bench.create("fleet", FLEET).unwrap();
    bench.settle("fleet").await;
    let before = bench.host.world.lock().toys.clone();
    bench.host.world.lock().refuse_update.insert("Ship".into());
    bench
        .update(
            "fleet",
            "
Resources:
  Pier: {Type: 'Test::Toy', Properties: {Name: north, Size: 4}}
  Ship: {Type: 'Test::Toy', Properties: {Near: !Ref Pier, Size: 9}}
  Buoy: {Type: 'Test::Toy', Properties: {Size: 2}}
  Dock: {Type: 'Test::Toy'}
",
        )
        .unwrap();
    // The way back of the one that failed must not be refused as well.
    while bench.status("fleet") == "UPDATE_IN_PROGRESS" {
        bench.step("fleet").await;
    }
    bench.host.world.lock().refuse_update.clear();
    bench.settle("fleet").await;
    assert_eq!(bench.status("fleet"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(bench.host.world.lock().toys, before);
    assert!(bench.told("fleet").iter().any(|event| {
        event.starts_with(
            "fleet UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to update: [Ship]",
        )
    }));
    assert_eq!(bench.update("fleet", FLEET).unwrap_err().message, "No updates are to be performed.");
}

#[tokio::test]
async fn a_stack_that_cannot_be_deleted_says_so_and_can_be_tried_again() {
    let bench = Bench::new();
    bench.create("fleet", FLEET).unwrap();
    bench.settle("fleet").await;
    bench.host.world.lock().refuse_delete.insert("Ship".into());
    bench.delete("fleet").unwrap();
    bench.settle("fleet").await;
    assert_eq!(bench.status("fleet"), "DELETE_FAILED");
    let reason = bench.stack("fleet").status_reason.clone().unwrap();
    assert_eq!(reason, "The following resource(s) failed to delete: [Ship]. ");
    assert_eq!(bench.toys().len(), 2, "what the stuck one needs stays, the rest is gone");
    bench.host.world.lock().refuse_delete.clear();
    bench.delete("fleet").unwrap();
    bench.settle("fleet").await;
    assert_eq!(bench.status("fleet"), "DELETE_COMPLETE");
    assert!(bench.toys().is_empty());
}

#[tokio::test]
async fn policies_keep_what_they_name() {
    let bench = Bench::new();
    let template = "
Resources:
  Kept: {Type: 'Test::Toy', DeletionPolicy: Retain}
  Gone: {Type: 'Test::Toy', DeletionPolicy: RetainExceptOnCreate, UpdateReplacePolicy: Retain}
";
    bench.create("s", template).unwrap();
    bench.settle("s").await;
    bench
        .update(
            "s",
            &template.replace(
                "UpdateReplacePolicy: Retain",
                "UpdateReplacePolicy: Retain, Properties: {Name: new}",
            ),
        )
        .unwrap();
    bench.settle("s").await;
    assert_eq!(bench.toys().len(), 3, "the replaced one is kept");
    bench.delete("s").unwrap();
    bench.settle("s").await;
    assert_eq!(bench.toys().len(), 3, "both current ones are kept on deletion");
    assert!(bench.told("s").contains(&"Kept DELETE_SKIPPED".to_owned()));
}

const CREW: &str = "
Resources:
  Crew:
    Type: Test::Crew
    CreationPolicy: {ResourceSignal: {Count: 2, Timeout: PT10M}}
";

#[tokio::test]
async fn a_creation_waits_for_its_signals_over_a_restart() {
    let bench = Bench::new();
    bench.create("s", CREW).unwrap();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "CREATE_IN_PROGRESS");
    bench.signal("s", "Crew", "i-1", "SUCCESS").unwrap();
    bench.signal("s", "Crew", "i-1", "SUCCESS").unwrap();
    let bench = bench.restart();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "CREATE_IN_PROGRESS", "the same id twice is one signal");
    bench.signal("s", "Crew", "i-2", "SUCCESS").unwrap();
    bench.settle("s").await;
    named(
        &bench.told("s")[2..],
        &[
            "Crew CREATE_IN_PROGRESS: Resource creation Initiated",
            "Crew CREATE_IN_PROGRESS: Received SUCCESS signal with UniqueId i-1",
            "Crew CREATE_IN_PROGRESS: Received SUCCESS signal with UniqueId i-2",
            "Crew CREATE_COMPLETE",
            "s CREATE_COMPLETE",
        ],
    );
    let late = bench.signal("s", "Crew", "i-3", "SUCCESS").unwrap_err();
    assert_eq!(late.code, "ValidationError");
    assert_eq!(late.message, "Resource Crew is in CREATE_COMPLETE state and cannot be signaled");
}

#[tokio::test]
async fn a_failure_signal_ends_the_wait_with_a_diagnosis() {
    let bench = Bench::new();
    bench.create("s", CREW).unwrap();
    bench.settle("s").await;
    bench.signal("s", "Crew", "i-2", "FAILURE").unwrap();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "ROLLBACK_COMPLETE");
    let failed = "Crew CREATE_FAILED: Received 1 FAILURE signal(s) out of 2.  Unable to satisfy 100% \
                  MinSuccessfulInstancesPercent requirement. looked at [i-2]";
    assert!(bench.told("s").iter().any(|event| event == failed), "{:#?}", bench.told("s"));
}

#[tokio::test]
async fn the_deadline_of_a_wait_is_kept_over_a_restart() {
    let bench = Bench::new();
    bench.create("s", CREW).unwrap();
    bench.settle("s").await;
    bench.signal("s", "Crew", "i-1", "SUCCESS").unwrap();
    bench.pass(599);
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "CREATE_IN_PROGRESS");
    let bench = bench.restart();
    bench.pass(1);
    bench.settle("s").await;
    let failed = "Crew CREATE_FAILED: Failed to receive 1 resource signal(s) within the specified duration. \
                  looked at [i-2]";
    assert!(bench.told("s").iter().any(|event| event == failed), "{:#?}", bench.told("s"));
}

#[tokio::test]
async fn a_stack_in_mid_creation_can_be_deleted() {
    let bench = Bench::new();
    bench.create("s", CREW).unwrap();
    bench.settle("s").await;
    bench.delete("s").unwrap();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "DELETE_COMPLETE");
    assert!(bench.toys().is_empty());
}

#[tokio::test]
async fn events_have_rising_times_and_ids_of_their_own() {
    let bench = Bench::new();
    bench.create("fleet", FLEET).unwrap();
    bench.settle("fleet").await;
    let stack = bench.stack("fleet");
    let events = crate::cloudformation::events::newest_first(
        crate::cloudformation::engine::Host::store(&*bench.host),
        &stack,
    );
    assert!(events.is_sorted_by(|a, b| a.at > b.at));
    let ids: std::collections::BTreeSet<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!(ids.len(), events.len());
}
