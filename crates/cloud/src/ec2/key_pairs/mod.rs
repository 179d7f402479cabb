//! Key pairs.

pub mod keys;

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ec2::{
    CreateKeyPairRequest, DeleteKeyPairRequest, DeleteKeyPairResult, DescribeKeyPairsRequest,
    DescribeKeyPairsResult, ImportKeyPairRequest, ImportKeyPairResult, KeyPair, KeyPairInfo,
};
use jiff::Timestamp;

use self::keys::KeyType;
use super::errors;
use super::request::{change, required, select, stop_dry_run, tag_set, tags_for};
use super::state::KeyPairRecord;
use crate::api::filters::Field;
use crate::api::tags::Tags;
use crate::api::values::length;
use crate::context::Ctx;
use crate::ids;
use crate::store::Tx;

/// The record of a key pair that is made now.
pub fn record(region: &str, name: &str, kind: KeyType, public: String, fingerprint: String) -> KeyPairRecord {
    KeyPairRecord {
        region: region.to_owned(),
        id: name.to_owned(),
        key_pair_id: ids::ec2("key"),
        key_type: kind.name().to_owned(),
        fingerprint,
        public_key: public,
        create_time: Timestamp::now(),
        tags: Tags::new(),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    if length(name, 1, 255) && name.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Ok(());
    }
    Err(errors::invalid_parameter(name, "keyName", "Key names are up to 255 ASCII characters."))
}

fn refuse_duplicate(tx: &Tx<'_>, ctx: &Ctx, name: &str) -> Result<(), Error> {
    match tx.get::<KeyPairRecord>(&ctx.region, name) {
        Some(_) => Err(duplicate(name)),
        None => Ok(()),
    }
}

fn duplicate(name: &str) -> Error {
    Error::client("InvalidKeyPair.Duplicate", format!("The keypair '{name}' already exists."))
}

/// `CreateKeyPair`: the private half is handed out once and kept nowhere.
pub fn create_key_pair(ctx: &Ctx, input: CreateKeyPairRequest) -> Result<KeyPair, Error> {
    let name = required(&input.key_name, "KeyName")?;
    check_name(name)?;
    let kind = match input.key_type.as_deref() {
        None | Some("rsa") => KeyType::Rsa,
        Some("ed25519") => KeyType::Ed25519,
        Some(other) => return Err(errors::invalid_parameter(other, "keyType", "")),
    };
    match input.key_format.as_deref() {
        None | Some("pem") => {}
        Some("ppk") => return Err(errors::unsupported("CreateKeyPair with KeyFormat ppk")),
        Some(other) => return Err(errors::invalid_parameter(other, "keyFormat", "")),
    }
    let tags = tags_for(ctx, &input.tag_specifications, "key-pair", &["key-pair"])?;
    if ctx.cloud.store.get::<KeyPairRecord>(&ctx.region, name).is_some() {
        return Err(duplicate(name));
    }
    stop_dry_run(input.dry_run)?;
    // Before the transaction, for it takes a while.
    let key = keys::generate(kind, name).map_err(|error| Error::internal(error.to_string()))?;
    let record = KeyPairRecord { tags, ..record(&ctx.region, name, kind, key.public, key.fingerprint) };
    change(ctx, None, |tx| {
        refuse_duplicate(tx, ctx, name)?;
        Ok(tx.put(record.clone())?)
    })?;
    Ok(KeyPair {
        key_pair_id: Some(record.key_pair_id),
        key_name: Some(record.id),
        key_fingerprint: Some(record.fingerprint),
        key_material: Some(key.private_pem),
        tags: tag_set(&record.tags),
    })
}

/// `ImportKeyPair`
pub fn import_key_pair(ctx: &Ctx, input: ImportKeyPairRequest) -> Result<ImportKeyPairResult, Error> {
    let name = required(&input.key_name, "KeyName")?;
    check_name(name)?;
    let material = input.public_key_material.as_ref().ok_or_else(|| errors::missing("publicKeyMaterial"))?;
    let key = std::str::from_utf8(&material.0)
        .map_err(|_| keys::KeyError::Format)
        .and_then(keys::import)
        .map_err(|error| Error::client("InvalidKey.Format", error.to_string()))?;
    let tags = tags_for(ctx, &input.tag_specifications, "key-pair", &["key-pair"])?;
    let record = KeyPairRecord { tags, ..record(&ctx.region, name, key.kind, key.public, key.fingerprint) };
    change(ctx, input.dry_run, |tx| {
        refuse_duplicate(tx, ctx, name)?;
        Ok(tx.put(record.clone())?)
    })?;
    Ok(ImportKeyPairResult {
        key_pair_id: Some(record.key_pair_id),
        key_name: Some(record.id),
        key_fingerprint: Some(record.fingerprint),
        tags: tag_set(&record.tags),
    })
}

/// `DeleteKeyPair`: one that is not there is no error.
pub fn delete_key_pair(ctx: &Ctx, input: DeleteKeyPairRequest) -> Result<DeleteKeyPairResult, Error> {
    if input.key_name.is_none() && input.key_pair_id.is_none() {
        return Err(errors::missing("KeyName"));
    }
    let removed = change(ctx, input.dry_run, |tx| {
        let is_it = |key: &&Arc<KeyPairRecord>| {
            input.key_name.as_ref() == Some(&key.id) || input.key_pair_id.as_ref() == Some(&key.key_pair_id)
        };
        let name = tx.list::<KeyPairRecord>(&ctx.region).iter().find(is_it).map(|key| key.id.clone());
        Ok(name.and_then(|name| tx.remove::<KeyPairRecord>(&ctx.region, &name)))
    })?;
    Ok(DeleteKeyPairResult { return_: Some(true), key_pair_id: removed.map(|key| key.key_pair_id.clone()) })
}

const FIELDS: &[Field<Arc<KeyPairRecord>>] = &[
    ("key-name", |key, is| is(&key.id)),
    ("key-pair-id", |key, is| is(&key.key_pair_id)),
    ("fingerprint", |key, is| is(&key.fingerprint)),
];

/// `DescribeKeyPairs`
pub fn describe_key_pairs(
    ctx: &Ctx,
    input: DescribeKeyPairsRequest,
) -> Result<DescribeKeyPairsResult, Error> {
    stop_dry_run(input.dry_run)?;
    let selection = select(FIELDS, Some(|key: &Arc<KeyPairRecord>| &key.tags), &input.filters)?;
    let mut keys = ctx.cloud.store.list::<KeyPairRecord>(&ctx.region);
    if let Some(name) = input.key_names.iter().find(|name| keys.iter().all(|key| key.id != **name)) {
        return Err(errors::KEY_PAIR.not_found(name));
    }
    if let Some(id) = input.key_pair_ids.iter().find(|id| keys.iter().all(|key| key.key_pair_id != **id)) {
        return Err(Error::client(
            "InvalidKeyPair.NotFound",
            format!("The key pair ID '{id}' does not exist"),
        ));
    }
    keys.retain(|key| {
        (input.key_names.is_empty() || input.key_names.contains(&key.id))
            && (input.key_pair_ids.is_empty() || input.key_pair_ids.contains(&key.key_pair_id))
            && selection.accepts(key)
    });
    let with_public = input.include_public_key == Some(true);
    let key_pairs = keys.iter().map(|key| KeyPairInfo {
        key_pair_id: Some(key.key_pair_id.clone()),
        key_type: Some(key.key_type.clone()),
        key_name: Some(key.id.clone()),
        key_fingerprint: Some(key.fingerprint.clone()),
        public_key: with_public.then(|| key.public_key.clone()),
        create_time: Some(key.create_time),
        tags: tag_set(&key.tags),
    });
    Ok(DescribeKeyPairsResult { key_pairs: key_pairs.collect() })
}
