//! Coloured lines for a terminal: the time of day, who, where, what.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;

use console::Style;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::labels::Labels;
use super::text::ShortNames;
use crate::event::Event;
use crate::follow::Screen;

/// Lines with a colour for each stream, which a legend names when it is first met.
pub struct Terminal<W> {
    out: W,
    notes: fn(&str),
    zone: TimeZone,
    colours: bool,
    day: Date,
    groups: ShortNames,
    labels: Labels,
    label_width: usize,
}

/// Longer names of groups push their lines to the right instead of all others.
const GROUP_WIDTH: usize = 22;

impl<W: Write> Terminal<W> {
    /// Writes to `out`, with times of `zone`; `now` tells which day needs no mention. Says things with `notes`.
    pub fn new(out: W, notes: fn(&str), zone: TimeZone, now: Timestamp, colours: bool) -> Self {
        let day = now.to_zoned(zone.clone()).date();
        let (groups, labels) = (ShortNames::default(), Labels::default());
        Self { out, notes, zone, colours, day, groups, labels, label_width: 0 }
    }

    fn style(&self) -> Style {
        Style::new().force_styling(self.colours)
    }

    /// The line that is put above the first event of another day.
    fn turn_page(&mut self, day: Date) -> String {
        if day == self.day {
            return String::new();
        }
        self.day = day;
        format!("{}\n", self.style().dim().apply_to(format!("── {day} ──")))
    }
}

impl<W: Write + Send> Screen for Terminal<W> {
    fn groups(&mut self, names: &[Arc<str>]) {
        self.groups = ShortNames::of(names);
    }

    fn show(&mut self, event: &Event) -> io::Result<()> {
        let time =
            Timestamp::from_millisecond(event.timestamp).unwrap_or_default().to_zoned(self.zone.clone());
        let mut text = self.turn_page(time.date());
        let (style, dim) = (self.style(), self.style().dim());
        let (label, is_new) = self.labels.of(&event.stream);
        let (label, coloured) = (label.text.clone(), style.color256(label.colour));
        if is_new && *label != *event.stream {
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "{} {}",
                coloured.apply_to(format!("● {label}")),
                dim.apply_to(format!("is {}", event.stream))
            );
        }
        self.label_width = self.label_width.max(label.chars().count());
        let width = self.label_width;
        let clock = time.strftime("%H:%M:%S%.3f").to_string();
        let mut column = clock.len() + 1 + width + 1;
        let _ = write!(text, "{} {} ", dim.apply_to(clock), coloured.apply_to(format!("{label:<width$}")));
        if self.groups.len() > 1 {
            let (group, width) = (self.groups.get(&event.group), self.groups.longest().min(GROUP_WIDTH));
            column += group.chars().count().max(width) + 1;
            let _ = write!(text, "{} ", dim.apply_to(format!("{group:<width$}")));
        }
        for (index, line) in readable(&event.message).split('\n').enumerate() {
            if index > 0 {
                text += &" ".repeat(column);
            }
            text += line;
            text.push('\n');
        }
        self.out.write_all(text.as_bytes())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn note(&mut self, text: &str) {
        (self.notes)(text);
    }

    fn is_gone(&self) -> bool {
        // A terminal that goes away ends its processes.
        false
    }
}

/// A message that does nothing to the terminal: without colours of its own, other control characters made visible.
fn readable(message: &str) -> String {
    let plain = console::strip_ansi_codes(message.trim_end_matches(['\n', '\r']));
    plain.replace("\r\n", "\n").chars().fold(String::new(), |mut text, c| {
        match c {
            '\n' => text.push(c),
            '\t' => text += "    ",
            c if c.is_control() => text += &c.escape_default().to_string(),
            c => text.push(c),
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::event;

    const NINE: i64 = 1_763_715_600_000;

    fn shown(groups: &[&str], events: &[Event], colours: bool) -> String {
        let mut out = Vec::new();
        let now = Timestamp::from_millisecond(NINE).unwrap();
        let mut screen = Terminal::new(&mut out, |_| {}, TimeZone::UTC, now, colours);
        let groups: Vec<Arc<str>> = groups.iter().map(|name| (*name).into()).collect();
        screen.groups(&groups);
        for event in events {
            screen.show(event).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_of_several_groups_and_instances() {
        let events = [
            event("/s/dmesg", "i-0123456789abcdef0", NINE - 86_400_000, "of yesterday"),
            event("/s/dmesg", "i-0123456789abcdef0", NINE, "one\n  two\n"),
            event("/s/ecs-agent", "i-0999956789abcdef0", NINE + 1500, "three"),
        ];
        assert_eq!(
            shown(&["/s/dmesg", "/s/ecs-agent"], &events, false),
            "── 2025-11-20 ──\n\
             ● i-01234 is i-0123456789abcdef0\n\
             09:00:00.000 i-01234 dmesg     of yesterday\n\
             ── 2025-11-21 ──\n\
             09:00:00.000 i-01234 dmesg     one\n\
             \x20                                two\n\
             ● i-09999 is i-0999956789abcdef0\n\
             09:00:01.500 i-09999 ecs-agent three\n"
        );
    }

    #[test]
    fn a_single_group_is_not_repeated() {
        assert_eq!(shown(&["/s/a"], &[event("/s/a", "app", NINE, "x")], false), "09:00:00.000 app x\n");
    }

    #[test]
    fn colours_are_of_the_stream() {
        let text =
            shown(&["/s/a"], &[event("/s/a", "app", NINE, "x"), event("/s/a", "web", NINE, "y")], true);
        let colours: Vec<&str> = text.lines().map(|line| line.split("38;5;").nth(1).unwrap()).collect();
        let of = |line: &str| line.split('m').next().unwrap().to_owned();
        assert_ne!(of(colours[0]), of(colours[1]), "{text:?}");
    }

    #[test]
    fn messages_cannot_take_the_terminal_over() {
        for (message, expected) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("a\tb", "a    b"),
            ("bell\u{7}", "bell\\u{7}"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("progress\r50%\r\ndone\r\n", "progress\\r50%\ndone"),
            ("\u{9b}2Jx", "x"),
        ] {
            let text = readable(message);
            assert_eq!(text, expected, "{message:?}");
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        }
    }
}
