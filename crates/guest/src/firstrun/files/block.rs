//! Files that belong to somebody else, in which `firstrun` keeps a block of lines.

const BEGIN: &str = "# firstrun: begin";
const END: &str = "# firstrun: end";

/// `text` with `lines` as `firstrun`'s block at its end, in place of an earlier block. Assignments of `names` outside of
/// the block go: of a name that is set twice, some readers take the first and some the last. No lines, no block.
pub fn put(text: &str, names: &[&str], lines: &[String]) -> String {
    let mut kept = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.trim() {
            BEGIN => inside = true,
            END if inside => inside = false,
            _ if inside || assigned(line).is_some_and(|name| names.contains(&name)) => {}
            _ => kept.push(line),
        }
    }
    let mut out: String = kept.iter().flat_map(|line| [*line, "\n"]).collect();
    if !lines.is_empty() {
        out.push_str(BEGIN);
        out.push('\n');
        for line in lines {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(END);
        out.push('\n');
    }
    out
}

/// The name that a line assigns, as `NAME=…` or as a shell's `export NAME=…`.
fn assigned(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    line.split_once('=').map(|(name, _)| name.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn the_block_replaces_itself_and_other_assignments() {
        let text = "# theirs\nA=1\nexport B=2\n# firstrun: begin\nA=old\n# firstrun: end\nC=3";
        let put_once = put(text, &["A", "B"], &lines(&["A=new"]));
        assert_eq!(put_once, "# theirs\nC=3\n# firstrun: begin\nA=new\n# firstrun: end\n");
        assert_eq!(put(&put_once, &["A", "B"], &lines(&["A=new"])), put_once);
        assert_eq!(put(&put_once, &["A", "B"], &[]), "# theirs\nC=3\n");
    }

    #[test]
    fn nothing_stays_nothing() {
        assert_eq!(put("", &["A"], &[]), "");
        assert_eq!(put("X", &["A"], &[]), "X\n");
    }
}
