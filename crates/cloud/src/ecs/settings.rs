//! The account's settings.

use aws_wire::Error;
use aws_wire::ecs::*;

use super::clusters::PAGE;
use super::errors::{self, invalid};
use super::state::AccountSettingRecord;
use crate::Ctx;
use crate::api::paging::{Order, PageRequest, page};

/// A setting, its default and the values that this cloud can honour.
struct Known {
    name: &'static str,
    default: &'static str,
    values: &'static [&'static str],
}

const fn fixed(name: &'static str, default: &'static [&'static str; 1]) -> Known {
    Known { name, default: default[0], values: default }
}

/// All settings. Most concern what this cloud does not have: they keep their default.
const KNOWN: &[Known] = &[
    fixed("awsvpcTrunking", &["disabled"]),
    Known { name: "containerInsights", default: "disabled", values: &["enabled", "disabled", "enhanced"] },
    fixed("containerInstanceLongArnFormat", &["enabled"]),
    fixed("defaultLogDriverMode", &["non-blocking"]),
    fixed("fargateEventWindows", &["disabled"]),
    fixed("fargateFIPSMode", &["disabled"]),
    fixed("fargateTaskRetirementWaitPeriod", &["7"]),
    fixed("guardDutyActivate", &["off"]),
    fixed("serviceLongArnFormat", &["enabled"]),
    fixed("tagResourceAuthorization", &["off"]),
    fixed("taskLongArnFormat", &["enabled"]),
];

fn known(name: &str) -> Result<&'static Known, Error> {
    KNOWN
        .iter()
        .find(|known| known.name == name)
        .ok_or_else(|| invalid(format!("Invalid setting name: {name}")))
}

/// The account's root, for whom settings hold unless another principal is named.
fn root(ctx: &Ctx) -> String {
    format!("arn:aws:iam::{}:root", ctx.account)
}

fn key(principal: &str, name: &str) -> String {
    format!("{principal} {name}")
}

/// What holds for the account.
pub fn effective(ctx: &Ctx, name: &str) -> String {
    let set = ctx.cloud.store.get::<AccountSettingRecord>(&ctx.region, &key(&root(ctx), name));
    let default =
        || KNOWN.iter().find(|known| known.name == name).map_or("", |known| known.default).to_owned();
    set.map_or_else(default, |set| set.value.clone())
}

/// `PutAccountSetting`
pub fn put(ctx: &Ctx, input: PutAccountSettingRequest) -> Result<PutAccountSettingResponse, Error> {
    let known = known(&input.name.unwrap_or_default())?;
    let value = input.value.unwrap_or_default();
    if !known.values.contains(&value.as_str()) {
        return Err(invalid(format!(
            "{} can be {} in this cloud, not {value}.",
            known.name,
            known.values.join(" or ")
        )));
    }
    let principal_arn = input.principal_arn.unwrap_or_else(|| root(ctx));
    let record = AccountSettingRecord {
        region: ctx.region.to_string(),
        id: key(&principal_arn, known.name),
        name: known.name.to_owned(),
        value,
        principal_arn,
    };
    let setting = wire(&record);
    ctx.cloud.store.write(|tx| tx.put(record))?;
    Ok(PutAccountSettingResponse { setting: Some(setting) })
}

fn wire(record: &AccountSettingRecord) -> Setting {
    Setting {
        name: Some(record.name.clone()),
        value: Some(record.value.clone()),
        principal_arn: Some(record.principal_arn.clone()),
        type_: Some("user".to_owned()),
    }
}

/// `ListAccountSettings`
pub fn list(ctx: &Ctx, input: ListAccountSettingsRequest) -> Result<ListAccountSettingsResponse, Error> {
    let principal = input.principal_arn.unwrap_or_else(|| root(ctx));
    if let Some(name) = &input.name {
        known(name)?;
    } else if input.value.is_some() {
        return Err(invalid("A value can only be given together with a setting name."));
    }
    let effective = input.effective_settings == Some(true);
    let of = |known: &Known| {
        let get = |principal: &str| {
            ctx.cloud.store.get::<AccountSettingRecord>(&ctx.region, &key(principal, known.name))
        };
        let set = get(&principal).or_else(|| if effective { get(&root(ctx)) } else { None });
        match set {
            Some(set) => Some(Setting { principal_arn: Some(principal.clone()), ..wire(&set) }),
            None if effective => Some(Setting {
                name: Some(known.name.to_owned()),
                value: Some(known.default.to_owned()),
                principal_arn: Some(principal.clone()),
                type_: Some("user".to_owned()),
            }),
            None => None,
        }
    };
    let settings: Vec<Setting> = KNOWN
        .iter()
        .filter(|known| input.name.as_deref().is_none_or(|name| name == known.name))
        .filter_map(of)
        .filter(|setting| input.value.is_none() || setting.value == input.value)
        .collect();
    let request = PageRequest { max: input.max_results, token: input.next_token.as_deref() };
    let name = |setting: &Setting| setting.name.clone().unwrap_or_default();
    let named: Vec<(String, Setting)> =
        settings.into_iter().map(|setting| (name(&setting), setting)).collect();
    let page = page(named, request, PAGE, Order::Ascending, |(name, _)| name).map_err(errors::paging)?;
    Ok(ListAccountSettingsResponse {
        settings: page.items.into_iter().map(|(_, setting)| setting).collect(),
        next_token: page.next,
    })
}
