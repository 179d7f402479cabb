//! Tags on any resource.

use std::collections::BTreeMap;

use aws_wire::Error;
use aws_wire::ec2::{
    CreateTagsRequest, DeleteTagsRequest, DescribeTagsRequest, DescribeTagsResult, TagDescription,
};

use super::request::{PAGE, change, may_reserve, merge_tags, page, select, stop_dry_run};
use super::state::{
    DhcpOptionsRecord, InstanceRecord, InternetGatewayRecord, KeyPairRecord, LaunchTemplateRecord,
    NetworkInterfaceRecord, RouteTableRecord, SecurityGroupRecord, SubnetRecord, VolumeRecord, VpcRecord,
};
use super::{errors, images, snapshots};
use crate::api::filters::Field;
use crate::api::tags::Tags;
use crate::context::Ctx;
use crate::store::{Record, Store, Tx};

/// A record that has tags.
trait Tagged: Record {
    /// EC2's name of the type of resource.
    const TYPE: &'static str;
    /// The tags.
    fn tags(&self) -> &Tags;
    /// The tags, to be changed.
    fn tags_mut(&mut self) -> &mut Tags;
    /// The id that tags are put on, where it is not the record's.
    fn resource_id(&self) -> &str {
        self.id()
    }
}

macro_rules! tagged {
    ($($type:ty, $name:literal;)*) => {
        $(impl Tagged for $type {
            const TYPE: &'static str = $name;
            fn tags(&self) -> &Tags {
                &self.tags
            }
            fn tags_mut(&mut self) -> &mut Tags {
                &mut self.tags
            }
        })*
    };
}

tagged! {
    VpcRecord, "vpc";
    SubnetRecord, "subnet";
    InternetGatewayRecord, "internet-gateway";
    RouteTableRecord, "route-table";
    SecurityGroupRecord, "security-group";
    NetworkInterfaceRecord, "network-interface";
    DhcpOptionsRecord, "dhcp-options";
    InstanceRecord, "instance";
    VolumeRecord, "volume";
    LaunchTemplateRecord, "launch-template";
}

impl Tagged for KeyPairRecord {
    const TYPE: &'static str = "key-pair";
    fn tags(&self) -> &Tags {
        &self.tags
    }
    fn tags_mut(&mut self) -> &mut Tags {
        &mut self.tags
    }
    fn resource_id(&self) -> &str {
        &self.key_pair_id
    }
}

/// A change of a resource's tags.
type Edit<'a> = &'a dyn Fn(&mut Tags) -> Result<(), Error>;

/// Changes the tags of whatever has this id.
fn edit(tx: &mut Tx<'_>, region: &str, id: &str, edit: Edit<'_>) -> Result<(), Error> {
    let kind = id.split('-').next().unwrap_or_default();
    let found = match kind {
        "vpc" => edit_one::<VpcRecord>(tx, region, id, edit)?,
        "subnet" => edit_one::<SubnetRecord>(tx, region, id, edit)?,
        "igw" => edit_one::<InternetGatewayRecord>(tx, region, id, edit)?,
        "rtb" => edit_one::<RouteTableRecord>(tx, region, id, edit)?,
        "sg" => edit_one::<SecurityGroupRecord>(tx, region, id, edit)?,
        "sgr" => edit_rule(tx, region, id, edit)?,
        "eni" => edit_one::<NetworkInterfaceRecord>(tx, region, id, edit)?,
        "dopt" => edit_one::<DhcpOptionsRecord>(tx, region, id, edit)?,
        "i" => edit_one::<InstanceRecord>(tx, region, id, edit)?,
        "vol" => edit_one::<VolumeRecord>(tx, region, id, edit)?,
        "lt" => edit_one::<LaunchTemplateRecord>(tx, region, id, edit)?,
        "key" => {
            let keys = tx.list::<KeyPairRecord>(region);
            match keys.iter().find(|key| key.key_pair_id == id) {
                Some(key) => edit_one::<KeyPairRecord>(tx, region, &key.id, edit)?,
                None => false,
            }
        }
        _ => false,
    };
    if found { Ok(()) } else { Err(Error::client("InvalidID", format!("The ID '{id}' is not valid"))) }
}

fn edit_one<T: Tagged>(tx: &mut Tx<'_>, region: &str, id: &str, edit: Edit<'_>) -> Result<bool, Error> {
    let Some(record) = tx.get::<T>(region, id) else { return Ok(false) };
    let mut record = std::sync::Arc::unwrap_or_clone(record);
    edit(record.tags_mut())?;
    tx.put(record)?;
    Ok(true)
}

fn edit_rule(tx: &mut Tx<'_>, region: &str, id: &str, edit: Edit<'_>) -> Result<bool, Error> {
    for group in tx.list::<SecurityGroupRecord>(region) {
        if group.rules.iter().any(|rule| rule.id == id) {
            let mut group = std::sync::Arc::unwrap_or_clone(group);
            for rule in group.rules.iter_mut().filter(|rule| rule.id == id) {
                edit(&mut rule.tags)?;
            }
            tx.put(group)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Changes the tags of all these resources, or of none.
fn edit_all(ctx: &Ctx, ids: &[String], dry_run: Option<bool>, edit: Edit<'_>) -> Result<(), Error> {
    change(ctx, dry_run, |tx| {
        let mut kept = Vec::new();
        for id in ids {
            match Kept::find(ctx, id)? {
                Some((whose, mut tags)) => {
                    edit(&mut tags)?;
                    kept.push((whose, tags));
                }
                None => self::edit(tx, &ctx.region, id, edit)?,
            }
        }
        stop_dry_run(dry_run)?;
        // What is kept outside of the store is not undone with a transaction, so it comes last.
        kept.into_iter().try_for_each(|(whose, tags)| whose.put(ctx, &tags))
    })
}

/// A resource that is kept with the images and not in the store.
enum Kept {
    Image(String),
    Snapshot(String),
}

impl Kept {
    /// The resource and its tags; none if the id is of another kind.
    fn find(ctx: &Ctx, id: &str) -> Result<Option<(Self, Tags)>, Error> {
        let id = id.to_owned();
        if id.starts_with("ami-") {
            let tags = images::need(ctx, &id)?.tags;
            return Ok(Some((Self::Image(id), tags.into_iter().collect())));
        }
        if id.starts_with("snap-") {
            let tags = snapshots::need(ctx, &id)?.tags;
            return Ok(Some((Self::Snapshot(id), tags.into_iter().collect())));
        }
        Ok(None)
    }

    fn put(&self, ctx: &Ctx, tags: &Tags) -> Result<(), Error> {
        let store = &ctx.cloud.images;
        match self {
            Self::Image(id) => store.update(id, |image| image.tags = owned(tags)).map(drop),
            Self::Snapshot(id) => store.update_snapshot(id, |snapshot| snapshot.tags = owned(tags)).map(drop),
        }
        .map_err(images::internal)
    }
}

fn owned(tags: &Tags) -> BTreeMap<String, String> {
    tags.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// `CreateTags`
pub fn create_tags(ctx: &Ctx, input: CreateTagsRequest) -> Result<(), Error> {
    if input.resources.is_empty() {
        return Err(errors::missing("resourceIdSet"));
    }
    if input.tags.is_empty() {
        return Err(errors::missing("tagSet"));
    }
    edit_all(ctx, &input.resources, input.dry_run, &|tags| merge_tags(tags, &input.tags, may_reserve(ctx)))
}

/// `DeleteTags`: those named (with a value: if they have it), or all of the user's.
pub fn delete_tags(ctx: &Ctx, input: DeleteTagsRequest) -> Result<(), Error> {
    if input.resources.is_empty() {
        return Err(errors::missing("resourceIdSet"));
    }
    edit_all(ctx, &input.resources, input.dry_run, &|tags| {
        for tag in &input.tags {
            tags.remove(tag.key.as_deref().unwrap_or_default(), tag.value.as_deref());
        }
        if input.tags.is_empty() {
            tags.clear_users();
        }
        Ok(())
    })
}

/// A tag on a resource.
struct Row {
    resource_id: String,
    resource_type: &'static str,
    key: String,
    value: String,
    /// By which pages are cut.
    order: String,
}

const FIELDS: &[Field<Row>] = &[
    ("key", |row, is| is(&row.key)),
    ("value", |row, is| is(&row.value)),
    ("resource-id", |row, is| is(&row.resource_id)),
    ("resource-type", |row, is| is(row.resource_type)),
];

/// `DescribeTags`
pub fn describe_tags(ctx: &Ctx, input: DescribeTagsRequest) -> Result<DescribeTagsResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(FIELDS, None, &input.filters)?;
    let mut rows = all(&ctx.cloud.store, &ctx.region);
    for image in images::visible(ctx)? {
        rows.extend(rows_of(&image.id, "image", &image.tags.into_iter().collect()));
    }
    for snapshot in snapshots::visible(ctx)? {
        rows.extend(rows_of(&snapshot.id, "snapshot", &snapshot.tags.into_iter().collect()));
    }
    rows.retain(|row| selection.accepts(row));
    rows.sort_by(|a, b| a.order.cmp(&b.order));
    let page = page(rows, input.max_results, input.next_token.as_deref(), PAGE, |row| &row.order)?;
    let tags = page.items.into_iter().map(|row| TagDescription {
        key: Some(row.key),
        value: Some(row.value),
        resource_id: Some(row.resource_id),
        resource_type: Some(row.resource_type.to_owned()),
    });
    Ok(DescribeTagsResult { tags: tags.collect(), next_token: page.next })
}

fn all(store: &Store, region: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(of::<VpcRecord>(store, region));
    rows.extend(of::<SubnetRecord>(store, region));
    rows.extend(of::<InternetGatewayRecord>(store, region));
    rows.extend(of::<RouteTableRecord>(store, region));
    rows.extend(of::<SecurityGroupRecord>(store, region));
    rows.extend(of::<NetworkInterfaceRecord>(store, region));
    rows.extend(of::<DhcpOptionsRecord>(store, region));
    rows.extend(of::<InstanceRecord>(store, region));
    rows.extend(of::<VolumeRecord>(store, region));
    rows.extend(of::<LaunchTemplateRecord>(store, region));
    rows.extend(of::<KeyPairRecord>(store, region));
    for group in store.list::<SecurityGroupRecord>(region) {
        for rule in &group.rules {
            rows.extend(rows_of(&rule.id, "security-group-rule", &rule.tags));
        }
    }
    rows
}

fn of<T: Tagged>(store: &Store, region: &str) -> Vec<Row> {
    let records = store.list::<T>(region);
    records.iter().flat_map(|record| rows_of(record.resource_id(), T::TYPE, record.tags())).collect()
}

fn rows_of(id: &str, resource_type: &'static str, tags: &Tags) -> Vec<Row> {
    tags.iter()
        .map(|(key, value)| Row {
            resource_id: id.to_owned(),
            resource_type,
            key: key.to_owned(),
            value: value.to_owned(),
            order: format!("{id}\u{0}{key}"),
        })
        .collect()
}
