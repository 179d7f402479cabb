//! Short names and colours of streams. Pure.

/// How one stream is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    /// The name, or enough of it to tell it from the others.
    pub text: String,
    /// A colour of the terminal's 256.
    pub colour: u8,
}

/// Colours that can be read on light and dark ground, enough of them that few instances wish for the same.
const COLOURS: [u8; 30] = [
    33, 208, 35, 170, 136, 69, 203, 37, 141, 106, 205, 74, 166, 99, 64, 162, 39, 172, 71, 128, 67, 202, 31,
    133, 100, 204, 72, 167, 105, 130,
];

/// The least digits of an instance's id that are shown.
const DIGITS: usize = 5;
/// Longer names of other streams lose their middle.
const LONGEST: usize = 24;

/// The streams met so far, each with its label. A label once given stays.
#[derive(Debug, Default)]
pub(super) struct Labels(Vec<(String, Label)>);

impl Labels {
    /// The label of a stream, and whether the stream was met just now.
    pub fn of(&mut self, stream: &str) -> (&Label, bool) {
        let known = self.0.iter().position(|(name, _)| name == stream);
        let index = known.unwrap_or_else(|| {
            let label = Label { text: self.text(stream), colour: self.colour(stream) };
            self.0.push((stream.to_owned(), label));
            self.0.len() - 1
        });
        (&self.0[index].1, known.is_none())
    }

    fn text(&self, stream: &str) -> String {
        let is_taken =
            |text: &str| self.0.iter().any(|(other, label)| label.text == text || other.starts_with(text));
        if let Some(digits) = stream.strip_prefix("i-")
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            let shortened = (DIGITS..digits.len()).map(|length| format!("i-{}", &digits[..length]));
            return shortened.into_iter().find(|text| !is_taken(text)).unwrap_or_else(|| stream.to_owned());
        }
        let shortened = shorten(stream);
        if self.0.iter().any(|(_, label)| label.text == shortened) { stream.to_owned() } else { shortened }
    }

    /// The colour that the name always has, unless another stream on show has it and there is a free one.
    fn colour(&self, stream: &str) -> u8 {
        let first = hash(stream) as usize % COLOURS.len();
        let wish = |step: usize| COLOURS[(first + step) % COLOURS.len()];
        let is_free = |colour: &u8| self.0.iter().all(|(_, label)| label.colour != *colour);
        (0..COLOURS.len()).map(wish).find(is_free).unwrap_or(COLOURS[first])
    }
}

fn shorten(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= LONGEST {
        return name.to_owned();
    }
    let half = (LONGEST - 1) / 2;
    let (head, tail) = (&letters[..half], &letters[letters.len() - half..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

/// FNV-1a: the same in every run and version of the program, unlike the standard library's.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(streams: &[&str]) -> Vec<String> {
        let mut labels = Labels::default();
        streams.iter().map(|stream| labels.of(stream).0.text.clone()).collect()
    }

    #[test]
    fn ids_are_shortened_as_far_as_they_can_be_told_apart() {
        for (streams, expected) in [
            (vec!["i-0123456789abcdef0"], vec!["i-01234"]),
            (vec!["i-0123456789abcdef0", "i-0123499999abcdef0"], vec!["i-01234", "i-012349"]),
            (vec!["i-01234", "i-0123456789abcdef0"], vec!["i-01234", "i-012345"]),
            (vec!["i-0123456789abcdef0", "i-0123456789abcdef0"], vec!["i-01234", "i-01234"]),
            (vec!["i-xyz0123456789"], vec!["i-xyz0123456789"]),
            (vec!["ip-172-31-0-4.ec2.internal-and-more"], vec!["ip-172-31-0…al-and-more"]),
        ] {
            assert_eq!(texts(&streams), expected, "{streams:?}");
        }
    }

    #[test]
    fn names_that_would_look_alike_are_shown_whole() {
        let (one, other) = ("aaaaaaaaaaaaaaa-1-bbbbbbbbbbbbbbb", "aaaaaaaaaaaaaaa-2-bbbbbbbbbbbbbbb");
        assert_eq!(texts(&[one, other]), ["aaaaaaaaaaa…bbbbbbbbbbb", other]);
    }

    #[test]
    fn a_stream_has_the_same_colour_in_every_run_and_no_other_stream_has_it() {
        let mut labels = Labels::default();
        let streams: Vec<String> = (0..COLOURS.len()).map(|index| format!("i-{index:017x}")).collect();
        let mut colours: Vec<u8> = streams.iter().map(|stream| labels.of(stream).0.colour).collect();
        assert_eq!(
            labels.of(&streams[3]),
            (&Label { text: labels_text(&streams, 3), colour: colours[3] }, false)
        );
        colours.sort_unstable();
        colours.dedup();
        assert_eq!(colours.len(), COLOURS.len());
        // The wished one again when all are taken.
        let more = labels.of("one-more").0.colour;
        assert_eq!(more, Labels::default().of("one-more").0.colour);
    }

    fn labels_text(streams: &[String], index: usize) -> String {
        let streams: Vec<&str> = streams.iter().map(String::as_str).collect();
        texts(&streams)[index].clone()
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // From the function's reference.
        assert_eq!([hash(""), hash("a"), hash("foobar")], [0x811c_9dc5, 0xe40c_292c, 0xbf9c_f968]);
    }
}
