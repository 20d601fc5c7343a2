//! Tables of text: aligned columns without frames, the same on a terminal and in a pipe.
//!
//! Tested in place.

use anstyle::Style;
use jiff::Timestamp as Moment;
use jiff::tz::TimeZone;
use tandem_core::base::Timestamp;

use crate::terminal::{BAD, CARE, GOOD, STRONG, clean};

/// One cell, in its colour.
pub(crate) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

/// A number, or `-` where it is not known; to the right.
pub(crate) fn number(value: Option<impl ToString>) -> Cell {
    Cell { right: true, ..text(&value.map_or_else(|| "-".to_owned(), |value| value.to_string())) }
}

/// Text from wherever.
pub(crate) fn text(text: &str) -> Cell {
    Cell { text: clean(text).into_owned(), style: Style::new(), right: false }
}

/// The time by the clock on the wall here.
pub(crate) fn local(at: Timestamp) -> String {
    let moment = i64::try_from(at.0).ok().and_then(|millis| Moment::from_millisecond(millis).ok());
    moment.map_or_else(
        || at.0.to_string(),
        |moment| moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

/// Good news.
pub(crate) fn good(what: &str) -> Cell {
    Cell { style: GOOD, ..text(what) }
}

/// Something to watch.
pub(crate) fn care(what: &str) -> Cell {
    Cell { style: CARE, ..text(what) }
}

/// Bad news.
pub(crate) fn bad(what: &str) -> Cell {
    Cell { style: BAD, ..text(what) }
}

/// A table under construction.
pub(crate) struct Columns {
    rows: Vec<Vec<Cell>>,
}

impl Columns {
    pub(crate) fn new(heads: &[&str]) -> Columns {
        let head = heads.iter().map(|head| Cell { style: STRONG, ..text(head) });
        Columns { rows: vec![head.collect()] }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// The lines, each with its end. The last column has no width, so that long texts stay whole.
    pub(crate) fn lines(&self) -> String {
        let count = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest =
            |at: usize| self.rows.iter().filter_map(|row| row.get(at)).map(Cell::width).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count).map(widest).collect();
        // A head stands over its numbers.
        let right: Vec<bool> = (0..count)
            .map(|at| self.rows.iter().skip(1).any(|row| row.get(at).is_some_and(|cell| cell.right)))
            .collect();
        let mut lines = String::new();
        for row in &self.rows {
            for (at, ((cell, width), right)) in row.iter().zip(&widths).zip(&right).enumerate() {
                let gap = if at > 0 { "  " } else { "" };
                let pad = width - cell.width();
                let (before, after) = if *right { (pad, 0) } else { (0, pad) };
                let after = if at + 1 == row.len() { 0 } else { after };
                let (style, text) = (cell.style, &cell.text);
                lines.push_str(&format!("{gap}{:before$}{style}{text}{style:#}{:after$}", "", ""));
            }
            lines.push('\n');
        }
        lines
    }
}

impl Cell {
    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut columns = Columns::new(&["NAME", "COUNT", "RESULT"]);
        columns.row(vec![text("a"), number(Some(5)), good("fine")]);
        columns.row(vec![text("longer"), number(None::<u32>), bad("very bad\u{7}")]);
        let plain = anstream::adapter::strip_str(&columns.lines()).to_string();
        insta::assert_snapshot!(plain, @r"
        NAME    COUNT  RESULT
        a           5  fine
        longer      -  very bad
        ");
    }
}
