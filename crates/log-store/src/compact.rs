//! Keeping segments few and free of dead events.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::engine::{Change, Engine};
use crate::facts::StreamTable;
use crate::graves::{Graves, GroupGraves};
use crate::memtable::Memtable;
use crate::merge::Merge;
use crate::segment::index::{Chunk, GroupEntry};
use crate::segment::{CHUNK_TEXT, Desk, Segment, SegmentFile, Writer};
use crate::select::Selection;
use crate::{GroupId, StoreError};

/// This many segments of about one size and one day become one.
const FEW: usize = 4;
/// The most that become one at a time.
const MANY: usize = 8;
/// Sizes up to this are alike, and from there on those within the same power of four.
const SMALL: u64 = 1 << 20;
/// Larger segments are not joined with others, so that nothing that is written anew is ever large.
const LARGE: u64 = 128 << 20;
/// A segment is written anew when expired chunks are this part of it, or when a group is gone from it completely.
const EXPIRED_PART: u64 = 4;

/// For each segment and group with deletions: the deletions that were looked at, and whether they leave nothing to
/// do in the segment.
pub(crate) type Examined = HashMap<u64, HashMap<GroupId, (Arc<GroupGraves>, Remains)>>;

/// What deletions mean to a segment that need not be written anew because of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Remains {
    /// None of its events is deleted.
    Nothing,
    /// Some have expired, not enough to write the rest anew.
    Expired(u64),
}

/// Where events are, at one moment.
struct View {
    memtables: Vec<Arc<Memtable>>,
    segments: Vec<Arc<Segment>>,
    graves: Graves,
}

impl Engine {
    /// Does the most urgent piece of work; false when there is none.
    pub(crate) fn compact_once(&self) -> Result<bool, StoreError> {
        let mut examined = self.compacting.lock();
        let view = self.view();
        let kept_as_is = self.catalog.lock().kept_as_is.clone();
        let workable: Vec<_> =
            view.segments.iter().filter(|segment| !kept_as_is.contains(&segment.number)).collect();
        examined.retain(|number, _| view.segments.iter().any(|segment| segment.number == *number));
        for segment in &workable {
            let rewrite = should_rewrite(segment, &view.graves, examined.entry(segment.number).or_default());
            match rewrite {
                Ok(false) => {}
                Ok(true) => return self.rewrite(vec![(*segment).clone()], &view.graves).map(|()| true),
                Err(error) => return self.leave_as_is(&[(*segment).clone()], error).map(|()| true),
            }
        }
        let sizes = workable.iter().map(|segment| (segment.number, segment.partition, segment.size));
        let picked = pick(sizes);
        if !picked.is_empty() {
            let inputs = workable.into_iter().filter(|segment| picked.contains(&segment.number)).cloned();
            return self.rewrite(inputs.collect(), &view.graves).map(|()| true);
        }
        let done = done(&view, &examined);
        if done.is_empty() {
            return Ok(false);
        }
        self.change(Change { done, ..Change::default() }).map(|()| true)
    }

    fn view(&self) -> View {
        let state = self.state.read();
        View {
            memtables: state.frozen.iter().chain([&state.active]).cloned().collect(),
            segments: state.segments.clone(),
            graves: state.graves.clone(),
        }
    }

    /// Writes what is alive of segments of one day into a new one.
    fn rewrite(&self, inputs: Vec<Arc<Segment>>, graves: &Graves) -> Result<(), StoreError> {
        let Some(first) = inputs.first() else { return Ok(()) };
        let written = self.new_segment(first.partition, |writer| self.join(&inputs, graves, writer));
        self.freed();
        match written {
            Ok(segment) => self.change(Change {
                added: segment.map(Arc::new).into_iter().collect(),
                removed: inputs.iter().map(|segment| segment.number).collect(),
                ..Change::default()
            }),
            Err(error) => self.leave_as_is(&inputs, error),
        }
    }

    /// Takes damaged segments out of all further work; any other error comes back.
    fn leave_as_is(&self, segments: &[Arc<Segment>], error: StoreError) -> Result<(), StoreError> {
        if let StoreError::Damaged(damage) = &error {
            let damaged = segments.iter().filter(|segment| segment.path == damage.path);
            self.catalog.lock().kept_as_is.extend(damaged.map(|segment| segment.number));
        }
        self.report(error)
    }

    fn join(&self, inputs: &[Arc<Segment>], graves: &Graves, writer: &mut Writer) -> Result<(), StoreError> {
        let open = |segment: &Arc<Segment>| {
            Ok(Input { file: Arc::new(SegmentFile::open(&segment.path)?), segment: segment.clone() })
        };
        let inputs: Vec<Input> = inputs.iter().map(open).collect::<Result<_, StoreError>>()?;
        let groups: BTreeSet<GroupId> =
            inputs.iter().flat_map(|input| input.segment.groups.iter().map(|entry| entry.group)).collect();
        for group in groups {
            let of_group = graves.of(group);
            let pieces = pieces(&inputs, group, of_group)?;
            if pieces.is_empty() {
                continue;
            }
            writer.begin(group)?;
            for cluster in clusters(pieces) {
                if self.is_closed() {
                    return Err(StoreError::Closed);
                }
                write_cluster(&inputs, group, of_group, cluster, writer)?;
            }
        }
        Ok(())
    }
}

/// A segment that is read to be written anew.
struct Input {
    segment: Arc<Segment>,
    file: Arc<SegmentFile>,
}

/// A chunk of an input.
struct Piece {
    input: usize,
    chunk: Chunk,
    streams: StreamTable,
}

/// The chunks of a group that are not dead as a whole, in the order of their first events.
fn pieces(inputs: &[Input], group: GroupId, graves: &GroupGraves) -> Result<Vec<Piece>, StoreError> {
    let (mut pieces, mut desk) = (Vec::new(), Desk::default());
    for (input, Input { segment, file }) in inputs.iter().enumerate() {
        let Some(entry) = segment.group(group) else { continue };
        let chunks = file.chunks(entry, &mut desk)?.into_iter().zip(file.streams(entry, &mut desk)?);
        pieces.extend(chunks.filter(|(chunk, _)| !chunk.is_dead(graves)).map(|(chunk, streams)| Piece {
            input,
            chunk,
            streams,
        }));
    }
    // Stable: chunks of one input keep their order.
    pieces.sort_by_key(|piece| piece.chunk.bounds.min_timestamp);
    Ok(pieces)
}

/// Puts together what overlaps in time, and what is small with what follows it.
fn clusters(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut clusters: Vec<Vec<Piece>> = Vec::new();
    let (mut end, mut text) = (i64::MIN, u64::MAX);
    for piece in pieces {
        let bounds = piece.chunk.bounds;
        let joins = bounds.min_timestamp <= end || text < CHUNK_TEXT as u64 / 2;
        match clusters.last_mut().filter(|_| joins) {
            Some(cluster) => {
                end = end.max(bounds.max_timestamp);
                text += piece.chunk.text;
                cluster.push(piece);
            }
            None => {
                (end, text) = (bounds.max_timestamp, piece.chunk.text);
                clusters.push(vec![piece]);
            }
        }
    }
    clusters
}

fn write_cluster(
    inputs: &[Input],
    group: GroupId,
    graves: &Arc<GroupGraves>,
    cluster: Vec<Piece>,
    writer: &mut Writer,
) -> Result<(), StoreError> {
    if let [piece] = &cluster[..]
        && !piece.chunk.is_touched(graves, &piece.streams)
    {
        return writer.copy(&inputs[piece.input].file, &piece.chunk, &piece.streams);
    }
    let mut by_input: BTreeMap<usize, Vec<Chunk>> = BTreeMap::new();
    for piece in cluster {
        by_input.entry(piece.input).or_default().push(piece.chunk);
    }
    let mut merge = Merge::new(Selection::all(group, graves.clone()));
    for (input, chunks) in by_input {
        merge.add_chunks(&inputs[input].file, chunks);
    }
    while let Some(found) = merge.next() {
        let (row, message) = merge.get(found?);
        writer.add(row, message)?;
    }
    Ok(())
}

/// Whether deletions concern enough of a segment to write the rest of it anew.
fn should_rewrite(
    segment: &Segment,
    graves: &Graves,
    examined: &mut HashMap<GroupId, (Arc<GroupGraves>, Remains)>,
) -> Result<bool, StoreError> {
    let mut file = None;
    let mut expired = 0;
    for (group, of_group) in graves.groups() {
        let Some(entry) = segment.group(group) else { continue };
        let known = examined.get(&group).filter(|(seen, _)| Arc::ptr_eq(seen, of_group));
        let remains = match known {
            Some((_, remains)) => *remains,
            None => {
                if file.is_none() {
                    file = Some(SegmentFile::open(&segment.path)?);
                }
                let Some(file) = &file else { continue };
                let Some(remains) = examine(file, entry, of_group)? else { return Ok(true) };
                examined.insert(group, (of_group.clone(), remains));
                remains
            }
        };
        expired += if let Remains::Expired(bytes) = remains { bytes } else { 0 };
    }
    Ok(expired > 0 && expired * EXPIRED_PART >= segment.size)
}

/// What deletions mean to a group of a segment; `None` when it must be written anew.
fn examine(
    file: &SegmentFile,
    entry: &GroupEntry,
    graves: &GroupGraves,
) -> Result<Option<Remains>, StoreError> {
    let bounds = entry.bounds;
    if graves.hold_all(bounds.max_timestamp, bounds.max_sequence) || graves.hold_group(bounds.min_sequence) {
        return Ok(None);
    }
    if !graves.concern(bounds.min_timestamp, bounds.min_sequence) {
        return Ok(Some(Remains::Nothing));
    }
    let mut desk = Desk::default();
    let chunks = file.chunks(entry, &mut desk)?;
    let streams = file.streams(entry, &mut desk)?;
    let mut remains = Remains::Nothing;
    for (chunk, streams) in chunks.iter().zip(&streams) {
        if chunk.has_deleted_stream(graves, streams) {
            return Ok(None);
        }
        if chunk.is_touched(graves, streams) {
            let before = if let Remains::Expired(bytes) = remains { bytes } else { 0 };
            remains = Remains::Expired(before + if chunk.is_dead(graves) { chunk.length } else { 0 });
        }
    }
    Ok(Some(remains))
}

/// The deletions that concern no event any more.
fn done(view: &View, examined: &Examined) -> Vec<(GroupId, Arc<GroupGraves>)> {
    let clean = |segment: &Segment, group: GroupId, graves: &Arc<GroupGraves>| {
        segment
            .group(group)
            .is_none_or(|entry| !graves.concern(entry.bounds.min_timestamp, entry.bounds.min_sequence))
            || examined
                .get(&segment.number)
                .and_then(|groups| groups.get(&group))
                .is_some_and(|(seen, remains)| Arc::ptr_eq(seen, graves) && *remains == Remains::Nothing)
    };
    view.graves
        .groups()
        .filter(|(group, graves)| {
            view.memtables.iter().all(|memtable| !memtable.has_before(*group, graves.end()))
                && view.segments.iter().all(|segment| clean(segment, *group, graves))
        })
        .map(|(group, graves)| (group, graves.clone()))
        .collect()
}

/// Chooses segments, given by number, day and size, to become one; none when they are few enough.
fn pick(segments: impl IntoIterator<Item = (u64, i64, u64)>) -> BTreeSet<u64> {
    let mut alike: BTreeMap<(i64, u32), Vec<u64>> = BTreeMap::new();
    for (number, partition, size) in segments {
        if size <= LARGE {
            let tier = (size / SMALL).checked_ilog(4).map_or(0, |power| power + 1);
            alike.entry((partition, tier)).or_default().push(number);
        }
    }
    // The newest day first: that is where most is written and read.
    let picked = alike.into_values().rev().find(|numbers| numbers.len() >= FEW);
    picked.unwrap_or_default().into_iter().take(MANY).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [u64; 0] = [];

    fn picked(segments: &[(u64, i64, u64)]) -> Vec<u64> {
        pick(segments.iter().copied()).into_iter().collect()
    }

    #[test]
    fn segments_of_one_day_and_about_one_size_are_joined() {
        let small = |number, day| (number, day, 1000);
        assert_eq!(picked(&[]), NONE);
        assert_eq!(picked(&[small(1, 5), small(2, 5), small(3, 5)]), NONE);
        assert_eq!(picked(&[small(1, 5), small(2, 5), small(3, 6), small(4, 6)]), NONE);
        assert_eq!(picked(&[small(1, 5), small(2, 5), small(3, 5), (4, 5, SMALL - 1)]), [1, 2, 3, 4]);
        assert_eq!(picked(&[small(1, 5), small(2, 5), small(3, 5), (4, 5, 4 * SMALL)]), NONE);
        let tier = |number| (number, 5, (4 + number) * SMALL);
        assert_eq!(picked(&[small(9, 5), tier(1), tier(2), tier(3), tier(4)]), [1, 2, 3, 4]);
    }

    #[test]
    fn large_segments_are_left_alone() {
        let large: Vec<_> = (0..9).map(|number| (number, 5, LARGE + 1)).collect();
        assert_eq!(picked(&large), NONE);
    }
}
