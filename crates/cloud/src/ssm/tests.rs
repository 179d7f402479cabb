//! The service over a test cloud.

use aws_wire::ssm::*;
use machine::images::BASE_NAME;

use super::SsmService;
use crate::context::Caller;
use crate::testing::{self, Bench, REGION};

fn put(name: &str, value: &str) -> PutParameterRequest {
    PutParameterRequest {
        name: Some(name.into()),
        value: Some(value.into()),
        type_: Some("String".into()),
        ..Default::default()
    }
}

fn get(bench: &Bench, name: &str) -> Result<Parameter, String> {
    let input = GetParameterRequest { name: Some(name.into()), with_decryption: None };
    SsmService
        .get_parameter(&bench.ctx(), input)
        .map(|found| found.parameter.unwrap())
        .map_err(|error| error.code)
}

fn value(bench: &Bench, name: &str) -> Result<String, String> {
    get(bench, name).map(|parameter| parameter.value.unwrap())
}

#[test]
fn a_parameter_has_versions() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    assert_eq!(SsmService.put_parameter(&ctx, put("/web/port", "80")).unwrap().version, Some(1));
    let again = SsmService.put_parameter(&ctx, put("/web/port", "81")).unwrap_err();
    assert_eq!(again.code, "ParameterAlreadyExists");
    let overwrite = PutParameterRequest { overwrite: Some(true), type_: None, ..put("/web/port", "81") };
    assert_eq!(SsmService.put_parameter(&ctx, overwrite).unwrap().version, Some(2));
    let changed = PutParameterRequest {
        overwrite: Some(true),
        type_: Some("StringList".into()),
        ..put("/web/port", "81")
    };
    assert_eq!(SsmService.put_parameter(&ctx, changed).unwrap_err().code, "HierarchyTypeMismatchException");

    let arn = format!("arn:aws:ssm:{REGION}:123456789012:parameter/web/port");
    for (asked, expected) in [
        ("/web/port", Ok("81")),
        ("/web/port:1", Ok("80")),
        (arn.as_str(), Ok("81")),
        ("/web/port:3", Err("ParameterVersionNotFound")),
        ("/web/port:live", Err("ParameterVersionNotFound")),
        ("/web", Err("ParameterNotFound")),
    ] {
        assert_eq!(value(&bench, asked), expected.map(str::to_owned).map_err(str::to_owned), "{asked}");
    }
    assert_eq!(get(&bench, "/web/port:1").unwrap().selector.as_deref(), Some(":1"));
    let history = GetParameterHistoryRequest {
        name: Some("/web/port".into()),
        max_results: Some(1),
        ..Default::default()
    };
    let history = SsmService.get_parameter_history(&ctx, history).unwrap();
    assert_eq!((history.parameters[0].version, history.next_token.is_some()), (Some(1), true));
}

#[test]
fn parameters_are_found_by_path_and_filter() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    for name in ["/web/a", "/web/b", "/web/deep/c", "/other/d", "flat"] {
        SsmService.put_parameter(&ctx, put(name, "v")).unwrap();
    }
    let by_path = |path: &str, recursive: bool, token: Option<String>| {
        let input = GetParametersByPathRequest {
            path: Some(path.into()),
            recursive: Some(recursive),
            max_results: Some(2),
            next_token: token,
            ..Default::default()
        };
        let answer = SsmService.get_parameters_by_path(&ctx, input).unwrap();
        let names: Vec<String> = answer.parameters.into_iter().filter_map(|found| found.name).collect();
        (names, answer.next_token)
    };
    assert_eq!(by_path("/web", false, None), (vec!["/web/a".into(), "/web/b".into()], None));
    let (first, token) = by_path("/web", true, None);
    assert_eq!((first.len(), token.is_some()), (2, true));
    assert_eq!(by_path("/web", true, token), (vec!["/web/deep/c".into()], None));
    assert_eq!(by_path("/", false, None).0, ["flat"]);

    let filter = ParameterStringFilter {
        key: Some("Name".into()),
        option: Some("BeginsWith".into()),
        values: vec!["/web/d".into()],
    };
    let input = DescribeParametersRequest { parameter_filters: vec![filter], ..Default::default() };
    let described = SsmService.describe_parameters(&ctx, input).unwrap().parameters;
    assert_eq!(described.len(), 1);
    assert_eq!(described[0].last_modified_user.as_deref(), Some("arn:aws:iam::123456789012:root"));

    let names = vec!["/web/a".to_owned(), "/none".to_owned()];
    let many =
        SsmService.get_parameters(&ctx, GetParametersRequest { names: names.clone(), with_decryption: None });
    let many = many.unwrap();
    assert_eq!((many.parameters.len(), many.invalid_parameters), (1, vec!["/none".to_owned()]));
    let deleted = SsmService.delete_parameters(&ctx, DeleteParametersRequest { names }).unwrap();
    assert_eq!(
        (deleted.deleted_parameters, deleted.invalid_parameters),
        (vec!["/web/a".into()], vec!["/none".into()])
    );
    assert_eq!(value(&bench, "/web/a"), Err("ParameterNotFound".into()));
}

#[test]
fn what_cannot_be_kept_is_refused_by_name() {
    let bench = Bench::new();
    let cases = [
        (
            PutParameterRequest { type_: Some("SecureString".into()), ..put("a", "v") },
            "UnsupportedParameterType",
        ),
        (PutParameterRequest { key_id: Some("k".into()), ..put("a", "v") }, "ValidationException"),
        (PutParameterRequest { policies: Some("[{}]".into()), ..put("a", "v") }, "ValidationException"),
        (PutParameterRequest { type_: None, ..put("a", "v") }, "ValidationException"),
        (
            PutParameterRequest { data_type: Some("aws:ec2:image".into()), ..put("a", "ami-0") },
            "ValidationException",
        ),
        (
            PutParameterRequest { allowed_pattern: Some("[a-c]".into()), ..put("a", "d") },
            "ParameterPatternMismatchException",
        ),
        (put("/aws/service/x", "v"), "AccessDeniedException"),
        (put("a/b", "v"), "ValidationException"),
    ];
    for (input, code) in cases {
        let refused = SsmService.put_parameter(&bench.ctx(), input).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
    let image = PutParameterRequest { data_type: Some("aws:ec2:image".into()), ..put("a", testing::IMAGE) };
    SsmService.put_parameter(&bench.ctx(), image).unwrap();
}

#[test]
fn tags_are_kept_and_the_clouds_own_are_not_the_users() {
    let bench = Bench::new();
    let tag = |key: &str| Tag { key: Some(key.into()), value: Some("v".into()) };
    let user = bench.ctx();
    let service =
        crate::Ctx { caller: Caller::Service { principal: "cloudformation.amazonaws.com" }, ..bench.ctx() };
    let tagged =
        PutParameterRequest { tags: vec![tag("aws:cloudformation:stack-id"), tag("mine")], ..put("a", "v") };
    assert!(SsmService.put_parameter(&user, tagged.clone()).is_err());
    SsmService.put_parameter(&service, tagged).unwrap();
    let (kind, id) = (Some("Parameter".to_owned()), Some("a".to_owned()));
    let remove = |keys: &[&str]| {
        let tag_keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let input =
            RemoveTagsFromResourceRequest { resource_type: kind.clone(), resource_id: id.clone(), tag_keys };
        SsmService.remove_tags_from_resource(&user, input)
    };
    assert!(remove(&["aws:cloudformation:stack-id"]).is_err());
    remove(&["mine"]).unwrap();
    let input = ListTagsForResourceRequest { resource_type: kind.clone(), resource_id: id.clone() };
    let left = SsmService.list_tags_for_resource(&user, input).unwrap().tag_list;
    assert_eq!(left, [tag("aws:cloudformation:stack-id")]);
    let input = ListTagsForResourceRequest { resource_type: kind.clone(), resource_id: Some("b".into()) };
    assert_eq!(SsmService.list_tags_for_resource(&user, input).unwrap_err().code, "InvalidResourceId");
}

#[test]
fn the_recommended_ami_is_the_base_image() {
    const RECOMMENDED: &str = "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended";
    let bench = Bench::new();
    assert_eq!(value(&bench, RECOMMENDED), Err("ParameterNotFound".into()));
    let id = "ami-0123456789abcdef0";
    bench.cloud.images.put(&testing::image(id, BASE_NAME)).unwrap();
    assert_eq!(value(&bench, &format!("{RECOMMENDED}/image_id")).unwrap(), id);
    let whole: serde_json::Value = serde_json::from_str(&value(&bench, RECOMMENDED).unwrap()).unwrap();
    assert_eq!((whole["image_id"].as_str(), whole["schema_version"].as_i64()), (Some(id), Some(1)));
    let arn = get(&bench, RECOMMENDED).unwrap().arn.unwrap();
    assert_eq!(arn, format!("arn:aws:ssm:{REGION}::parameter{RECOMMENDED}"));
    assert!(value(&bench, &arn).is_ok());
    let input = GetParametersByPathRequest { path: Some(RECOMMENDED.into()), ..Default::default() };
    let parts = SsmService.get_parameters_by_path(&bench.ctx(), input).unwrap().parameters;
    assert_eq!(parts.len(), 4);
}
