//! The JSON protocols' parameters.

use serde_json::Value as Json;

use crate::Error;
use crate::decode::path::Path;
use crate::decode::refusal::Refusals;
use crate::decode::scalar;
use crate::schema::Type;
use crate::value::{ListFill, MapFill, Slot, Structure};

pub(super) struct Decoder<'r> {
    pub(super) refusals: &'r mut Refusals,
}

impl Decoder<'_> {
    pub(super) fn structure(
        &mut self,
        json: &Json,
        structure: &mut dyn Structure,
        path: &Path<'_>,
    ) -> Result<(), Error> {
        let schema = structure.schema();
        let Json::Object(object) = json else {
            return Err(self.refusals.wrong_json(path, kind_of(json), &Type::Structure(schema)));
        };
        for (name, value) in object.iter().filter(|(_, value)| !value.is_null()) {
            let here = path.member(name);
            let found = schema.members.iter().position(|member| member.query == name);
            let Some(index) = found else { return Err(self.refusals.unknown(&here)) };
            let Some(slot) = structure.slot(index) else { return Err(self.refusals.unknown(&here)) };
            self.value(value, slot, &schema.members[index].kind, &here)?;
        }
        for member in schema.members.iter().filter(|member| member.required) {
            if object.get(member.query).is_none_or(Json::is_null) {
                self.refusals.missing(&path.member(member.query));
            }
        }
        Ok(())
    }

    fn value(&mut self, json: &Json, slot: Slot<'_>, kind: &Type, path: &Path<'_>) -> Result<(), Error> {
        let done = match (slot, json, kind) {
            (Slot::List(list), Json::Array(items), Type::List(model)) => {
                return self.list(items, list, &model.element, path);
            }
            (Slot::Map(map), Json::Object(entries), Type::Map(model)) => {
                return self.map(entries, map, &model.element, path);
            }
            (Slot::Structure(structure), ..) => return self.structure(json, structure, path),
            (Slot::String(place), Json::String(text), _) => {
                self.refusals.check_string(text, kind, path);
                set(place, Some(text.clone()))
            }
            (Slot::Integer(place), ..) => {
                let number: Option<i32> = integer(json).and_then(|number| number.try_into().ok());
                self.refusals.check_number(number.map(i64::from), kind, path);
                set(place, number)
            }
            (Slot::Long(place), ..) => {
                let number = integer(json);
                self.refusals.check_number(number, kind, path);
                set(place, number)
            }
            (Slot::Double(place), ..) => set(place, json.as_f64()),
            (Slot::Boolean(place), ..) => set(place, json.as_bool()),
            (Slot::Timestamp(place), Json::Number(number), _) => {
                set(place, number.as_f64().and_then(scalar::epoch_seconds))
            }
            (Slot::Timestamp(place), Json::String(text), _) => set(place, scalar::timestamp(text)),
            (Slot::Blob(place), Json::String(text), _) => set(place, scalar::blob(text)),
            (Slot::Document(place), ..) => set(place, Some(json.clone())),
            _ => false,
        };
        if done { Ok(()) } else { Err(self.refusals.wrong_json(path, kind_of(json), kind)) }
    }

    fn list(
        &mut self,
        items: &[Json],
        list: &mut dyn ListFill,
        kind: &Type,
        path: &Path<'_>,
    ) -> Result<(), Error> {
        for (position, item) in items.iter().enumerate().filter(|(_, item)| !item.is_null()) {
            self.value(item, list.push(), kind, &path.item(None, position + 1))?;
        }
        Ok(())
    }

    fn map(
        &mut self,
        entries: &serde_json::Map<String, Json>,
        map: &mut dyn MapFill,
        kind: &Type,
        path: &Path<'_>,
    ) -> Result<(), Error> {
        for (key, value) in entries.iter().filter(|(_, value)| !value.is_null()) {
            self.value(value, map.entry(key.clone()), kind, &path.member(key))?;
        }
        Ok(())
    }
}

/// A whole number, also one written as `1.0`.
fn integer(json: &Json) -> Option<i64> {
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number);
    #[allow(clippy::cast_possible_truncation)]
    json.as_i64().or_else(|| json.as_f64().and_then(whole).map(|number| number as i64))
}

/// The names that AWS's JSON services give to kinds of values.
fn kind_of(json: &Json) -> &'static str {
    match json {
        Json::Null => "NULL_VALUE",
        Json::Bool(true) => "TRUE_VALUE",
        Json::Bool(false) => "FALSE_VALUE",
        Json::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Json::Number(_) => "NUMBER_VALUE",
        Json::String(_) => "STRING_VALUE",
        Json::Array(_) => "START_ARRAY",
        Json::Object(_) => "START_OBJECT",
    }
}

fn set<T>(place: &mut T, value: Option<T>) -> bool {
    value.map(|value| *place = value).is_some()
}
