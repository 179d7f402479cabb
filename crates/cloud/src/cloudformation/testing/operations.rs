//! The operations, as callers see them.

use aws_wire::cloudformation as wire;

use super::{Bench, REGION};
use crate::context::Caller;

const TOY: &str = "Resources: {Toy: {Type: 'Test::Toy', Properties: {Size: 1}}}";

fn change_set(stack: &str, template: &str, kind: &str) -> wire::CreateChangeSetInput {
    wire::CreateChangeSetInput {
        stack_name: Some(stack.into()),
        change_set_name: Some(format!("{kind}-1")),
        template_body: Some(template.into()),
        change_set_type: Some(kind.into()),
        ..Default::default()
    }
}

fn describe(bench: &Bench, stack: &str, set: &str) -> wire::DescribeChangeSetOutput {
    let input = wire::DescribeChangeSetInput {
        stack_name: Some(stack.into()),
        change_set_name: Some(set.into()),
        ..Default::default()
    };
    bench.ask(|request| request.describe_change_set(input)).unwrap()
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_leaves_no_stack() {
    let cases = [
        ("Resources: {", "Template format error: YAML not well-formed."),
        (
            "Resources: {A: {Type: 'Test::Nothing'}}",
            "Unrecognized resource types: [Test::Nothing] (line 1, column 23, at Resources/A/Type)",
        ),
        (
            "Resources:\n  A:\n    Type: Test::Toy\n    Properties:\n      Sise: 1\n",
            "Encountered unsupported property Sise (line 5, column 7, at Resources/A/Properties/Sise)",
        ),
        (
            "Resources: {A: {Type: 'Test::Toy', Properties: {Near: !GetAtt B.Age}}, B: {Type: 'Test::Toy'}}",
            "attribute",
        ),
        (
            "Resources: {A: {Type: 'Test::Toy', DependsOn: B}, B: {Type: 'Test::Toy', DependsOn: A}}",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Parameters: {P: {Type: String}}\nResources: {A: {Type: 'Test::Toy', Properties: {Name: !Ref P}}}",
            "Parameters: [P] must have values",
        ),
        (
            "Parameters: {V: {Type: 'AWS::EC2::VPC::Id', Default: vpc-x}}\nResources: {A: {Type: 'Test::Toy', Properties: {Name: !Ref V}}}",
            "Parameter validation failed: parameter value vpc-x for parameter name V does not exist",
        ),
        (
            "Parameters: {S: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /no}}\nResources: {A: {Type: 'Test::Toy', Properties: {Size: !Ref S}}}",
            "Unable to fetch parameters [/no] from parameter store",
        ),
        (
            "Resources:\n  A:\n    Type: Test::Toy\n    Properties:\n      Near: nowhere\n",
            "The place 'nowhere' does not exist (line 5, column 13, at Resources/A/Properties/Near)",
        ),
        (
            "Resources: {A: {Type: 'Test::Toy', DeletionPolicy: Snapshot}}",
            "DeletionPolicy Snapshot is not supported for resource type Test::Toy (line 1, column 13, at Resources/A/DeletionPolicy)",
        ),
        (
            "Resources: {A: {Type: 'Test::Crew', UpdatePolicy: {AutoScalingRollingUpdate: {MaxBatchSize: 1}}}}",
            "UpdatePolicy of resource A is not supported (line 1, column 51, at Resources/A/UpdatePolicy)",
        ),
        (
            "Resources: {A: {Type: 'Test::Toy', CreationPolicy: {ResourceSignal: {Count: 1}}}}",
            "CreationPolicy is not supported for resource type Test::Toy",
        ),
    ];
    let bench = Bench::new();
    for (template, expected) in cases {
        for error in [
            bench.create("s", template).unwrap_err(),
            bench.ask(|request| request.create_change_set(change_set("s", template, "CREATE"))).unwrap_err(),
        ] {
            assert_eq!(error.code, "ValidationError", "{template}");
            assert!(error.message.contains(expected), "{template}\n{}", error.message);
        }
    }
    assert!(
        crate::cloudformation::engine::Host::store(&*bench.host)
            .list::<crate::cloudformation::state::Stack>(REGION)
            .is_empty()
    );
}

#[test]
fn parameters_of_ssm_types_are_looked_up() {
    let bench = Bench::new();
    let template = "
Parameters: {S: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /toy/size}}
Resources: {A: {Type: 'Test::Toy', Properties: {Size: !Ref S}}}";
    bench.create("s", template).unwrap();
    let input = wire::DescribeStacksInput { stack_name: Some("s".into()), ..Default::default() };
    let stack = bench.ask(|request| request.describe_stacks(input)).unwrap().stacks.remove(0);
    assert_eq!(stack.parameters[0].parameter_value.as_deref(), Some("/toy/size"));
    assert_eq!(stack.parameters[0].resolved_value.as_deref(), Some("7"));
}

#[tokio::test]
async fn a_change_set_creates_a_stack_as_deploy_does_it() {
    let bench = Bench::new();
    bench.ask(|request| request.create_change_set(change_set("s", TOY, "CREATE"))).unwrap();
    assert_eq!(bench.status("s"), "REVIEW_IN_PROGRESS");
    let set = describe(&bench, "s", "CREATE-1");
    assert_eq!(
        (set.status.as_deref(), set.execution_status.as_deref()),
        (Some("CREATE_COMPLETE"), Some("AVAILABLE"))
    );
    let change = set.changes[0].resource_change.as_ref().unwrap();
    assert_eq!(change.action.as_deref(), Some("Add"));
    assert!(bench.toys().is_empty(), "nothing is made yet");

    let execute = |name: &str| wire::ExecuteChangeSetInput {
        stack_name: Some("s".into()),
        change_set_name: Some(name.into()),
        ..Default::default()
    };
    bench.ask(|request| request.execute_change_set(execute("CREATE-1"))).unwrap();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "CREATE_COMPLETE");
    assert_eq!(bench.stack("s").change_set_id, set.change_set_id);

    // The same again: what `deploy --no-fail-on-empty-changeset` looks for.
    bench.ask(|request| request.create_change_set(change_set("s", TOY, "UPDATE"))).unwrap();
    let empty = describe(&bench, "s", "UPDATE-1");
    assert_eq!(empty.status.as_deref(), Some("FAILED"));
    assert!(empty.status_reason.unwrap().starts_with("The submitted information didn't contain changes."));
    let refused = bench.ask(|request| request.execute_change_set(execute("UPDATE-1"))).unwrap_err();
    assert_eq!(refused.code, "InvalidChangeSetStatus");

    let input = wire::CreateChangeSetInput {
        change_set_name: Some("grow".into()),
        ..change_set("s", "Resources: {Toy: {Type: 'Test::Toy', Properties: {Size: 2}}}", "UPDATE")
    };
    bench.ask(|request| request.create_change_set(input)).unwrap();
    let grow = describe(&bench, "s", "grow");
    let change = grow.changes[0].resource_change.as_ref().unwrap();
    assert_eq!((change.action.as_deref(), change.replacement.as_deref()), (Some("Modify"), Some("False")));
    bench.ask(|request| request.execute_change_set(execute("grow"))).unwrap();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "UPDATE_COMPLETE");
    assert_eq!(describe(&bench, "s", "grow").execution_status.as_deref(), Some("EXECUTE_COMPLETE"));
}

#[tokio::test]
async fn errors_have_the_words_that_clients_look_for() {
    let bench = Bench::new();
    let ask = |name: &str| wire::DescribeStacksInput { stack_name: Some(name.into()), ..Default::default() };
    let absent = bench.ask(|request| request.describe_stacks(ask("no"))).unwrap_err();
    assert_eq!(
        (absent.code.as_str(), absent.message.as_str()),
        ("ValidationError", "Stack with id no does not exist")
    );
    bench.create("s", TOY).unwrap();
    let again = bench.create("s", TOY).unwrap_err();
    assert_eq!(
        (again.code.as_str(), again.message.as_str()),
        ("AlreadyExistsException", "Stack [s] already exists")
    );
    let early = bench.update("s", TOY).unwrap_err();
    assert!(
        early.message.ends_with("is in CREATE_IN_PROGRESS state and can not be updated."),
        "{}",
        early.message
    );
    bench.settle("s").await;
    assert_eq!(bench.update("s", TOY).unwrap_err().message, "No updates are to be performed.");
    for input in [
        wire::CreateStackInput { role_arn: Some("arn".into()), ..Default::default() },
        wire::CreateStackInput { template_url: Some("https://x".into()), ..Default::default() },
        wire::CreateStackInput { notification_arns: vec!["arn".into()], ..Default::default() },
    ] {
        let refused = bench.ask(|request| request.create_stack(input)).unwrap_err();
        assert!(refused.message.contains("is not supported: "), "{}", refused.message);
    }
    let protect = wire::UpdateTerminationProtectionInput {
        stack_name: Some("s".into()),
        enable_termination_protection: Some(true),
    };
    bench.ask(|request| request.update_termination_protection(protect)).unwrap();
    assert!(bench.delete("s").unwrap_err().message.contains("TerminationProtection"));
}

#[tokio::test]
async fn a_token_makes_a_repeated_creation_the_same_one() {
    let bench = Bench::new();
    let input = |token: &str| wire::CreateStackInput {
        stack_name: Some("s".into()),
        template_body: Some(TOY.into()),
        client_request_token: Some(token.into()),
        ..Default::default()
    };
    let first = bench.ask(|request| request.create_stack(input("t"))).unwrap();
    assert_eq!(bench.ask(|request| request.create_stack(input("t"))).unwrap(), first);
    assert_eq!(
        bench.ask(|request| request.create_stack(input("u"))).unwrap_err().code,
        "AlreadyExistsException"
    );
}

#[tokio::test]
async fn an_instance_may_only_ask_about_its_own_stack() {
    let bench = Bench::new();
    let template = "
Resources:
  Toy:
    Type: Test::Toy
    Metadata: {'AWS::CloudFormation::Init': {config: {commands: {a: {command: !Sub 'echo ${AWS::StackName}'}}}}}";
    bench.create("s", template).unwrap();
    bench.create("other", TOY).unwrap();
    bench.settle("s").await;
    bench.settle("other").await;
    let own = Caller::Instance { instance_id: "i-of-s".into() };
    let ask = |stack: &str| wire::DescribeStackResourceInput {
        stack_name: Some(stack.into()),
        logical_resource_id: Some("Toy".into()),
    };
    let detail = bench.ask_as(&own, |request| request.describe_stack_resource(ask("s"))).unwrap();
    let metadata = detail.stack_resource_detail.unwrap().metadata.unwrap();
    assert_eq!(
        metadata,
        r#"{"AWS::CloudFormation::Init":{"config":{"commands":{"a":{"command":"echo s"}}}}}"#
    );
    let denied = bench.ask_as(&own, |request| request.describe_stack_resource(ask("other"))).unwrap_err();
    assert_eq!((denied.code.as_str(), denied.status), ("AccessDenied", 403));
    let delete = wire::DeleteStackInput { stack_name: Some("s".into()), ..Default::default() };
    assert_eq!(bench.ask_as(&own, |request| request.delete_stack(delete)).unwrap_err().code, "AccessDenied");
}

#[tokio::test]
async fn exports_are_used_and_guarded() {
    let bench = Bench::new();
    let exporter = "
Resources: {Toy: {Type: 'Test::Toy', Properties: {Name: quay}}}
Outputs: {Quay: {Value: !Ref Toy, Export: {Name: the-quay}}}";
    let importer = "Resources: {Toy: {Type: 'Test::Toy', Properties: {Near: !ImportValue the-quay}}}";
    assert!(bench.create("b", importer).unwrap_err().message.contains("the-quay"), "not exported yet");
    bench.create("a", exporter).unwrap();
    bench.settle("a").await;
    bench.create("b", importer).unwrap();
    bench.settle("b").await;
    assert_eq!(bench.resource("b", "Toy").current.as_ref().unwrap().properties["Near"], "quay");
    let exports =
        bench.ask(|request| request.list_exports(wire::ListExportsInput::default())).unwrap().exports;
    assert_eq!(exports[0].value.as_deref(), Some("quay"));
    let input = wire::ListImportsInput { export_name: Some("the-quay".into()), next_token: None };
    assert_eq!(bench.ask(|request| request.list_imports(input)).unwrap().imports, ["b"]);
    assert_eq!(
        bench.delete("a").unwrap_err().message,
        "Export the-quay cannot be deleted as it is in use by b"
    );
    bench.delete("b").unwrap();
    bench.settle("b").await;
    bench.delete("a").unwrap();
    bench.settle("a").await;
    assert_eq!(bench.status("a"), "DELETE_COMPLETE");
}

#[tokio::test]
async fn events_come_in_pages() {
    let bench = Bench::new();
    let many: String = (0..60).map(|n| format!("  T{n}: {{Type: 'Test::Toy'}}\n")).collect();
    bench.create("s", &format!("Resources:\n{many}")).unwrap();
    bench.settle("s").await;
    let mut token = None;
    let mut seen = Vec::new();
    loop {
        let input = wire::DescribeStackEventsInput { stack_name: Some("s".into()), next_token: token };
        let page = bench.ask(|request| request.describe_stack_events(input)).unwrap();
        seen.extend(page.stack_events.into_iter().map(|event| event.event_id.unwrap()));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), bench.told("s").len());
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), bench.told("s").len());
}

#[tokio::test]
async fn on_failure_is_honoured() {
    for (on_failure, expected) in [("DELETE", "DELETE_COMPLETE"), ("DO_NOTHING", "CREATE_FAILED")] {
        let bench = Bench::new();
        bench.host.world.lock().refuse_create.insert("Ship".into());
        let input = wire::CreateStackInput {
            stack_name: Some("s".into()),
            template_body: Some(
                "Resources: {Pier: {Type: 'Test::Toy'}, Ship: {Type: 'Test::Toy', DependsOn: Pier}}".into(),
            ),
            on_failure: Some(on_failure.into()),
            ..Default::default()
        };
        bench.ask(|request| request.create_stack(input)).unwrap();
        bench.settle("s").await;
        assert_eq!(bench.status("s"), expected);
        assert_eq!(bench.toys().len(), usize::from(on_failure == "DO_NOTHING"));
        if on_failure == "DO_NOTHING" {
            bench.delete("s").unwrap();
            bench.settle("s").await;
            assert!(bench.toys().is_empty());
        }
    }
}

#[tokio::test]
async fn a_creation_has_a_time_limit() {
    let bench = Bench::new();
    bench.host.world.lock().slow.insert("Toy".into());
    let input = wire::CreateStackInput {
        stack_name: Some("s".into()),
        template_body: Some(TOY.into()),
        timeout_in_minutes: Some(1),
        ..Default::default()
    };
    bench.ask(|request| request.create_stack(input)).unwrap();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "CREATE_IN_PROGRESS");
    bench.pass(60);
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "ROLLBACK_COMPLETE");
    assert!(bench.toys().is_empty());
}

#[tokio::test]
async fn an_update_can_be_cancelled() {
    let bench = Bench::new();
    bench.create("s", TOY).unwrap();
    bench.settle("s").await;
    bench.host.world.lock().slow.insert("Toy".into());
    bench.update("s", "Resources: {Toy: {Type: 'Test::Toy', Properties: {Size: 2}}}").unwrap();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "UPDATE_IN_PROGRESS");
    let input = wire::CancelUpdateStackInput { stack_name: Some("s".into()), ..Default::default() };
    bench.ask(|request| request.cancel_update_stack(input)).unwrap();
    bench.step("s").await;
    bench.host.world.lock().slow.clear();
    bench.settle("s").await;
    assert_eq!(bench.status("s"), "UPDATE_ROLLBACK_COMPLETE");
    let size = bench.host.world.lock().toys.values().next().unwrap().properties["Size"].clone();
    assert_eq!(size, 1);
}
