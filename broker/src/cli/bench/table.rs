//! The figures for people: a table with a row a figure, without a server or a clock.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects, Style};

use super::args::Limit;
use super::figures::{Outcome, Row, Spread};
use super::verify::Tally;

const STRONG: Style = Style::new().bold();
const DIM: Style = Style::new().effects(Effects::DIMMED);
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// What stands above and below the figures.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    /// What was measured, in a line.
    pub(super) title: String,
    pub(super) machine: String,
    /// What is missing and how to get it.
    pub(super) hint: Option<&'a str>,
}

/// The table, with colours.
pub(super) fn render(frame: &Frame<'_>, outcome: &Outcome) -> String {
    let rows = outcome.rows();
    let compared = rows.iter().any(|row| row.limit.is_some());
    let mut cells = vec![[
        String::new(),
        "callboard".to_owned(),
        outcome.kind.map_or("bare", Limit::name).to_owned(),
        "ratio".to_owned(),
    ]];
    cells.extend(rows.iter().map(row_cells));
    let columns = if compared { 4 } else { 2 };
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();

    let mut text = format!("{STRONG}{}{STRONG:#}\n{DIM}{}{DIM:#}\n\n", frame.title, frame.machine);
    for (number, row) in cells.iter().enumerate() {
        // Writing to a string does not fail.
        let _ = write!(text, "  {:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let style = if number == 0 { DIM } else { Style::new() };
            let _ = write!(text, "   {style}{cell:>width$}{style:#}");
        }
        text.push('\n');
    }
    let _ = write!(text, "\n  {}\n", verdict(&outcome.tally()));
    if let Some(hint) = frame.hint {
        let _ = writeln!(text, "  {DIM}{hint}{DIM:#}");
    }
    text
}

/// What the check of all deliveries says.
pub(super) fn verdict(tally: &Tally) -> String {
    let delivered = thousands(&tally.delivered.to_string());
    if tally.is_clean() {
        return format!("{GOOD}{delivered} deliveries checked: each came once and in order{GOOD:#}");
    }
    format!(
        "{BAD}{delivered} deliveries checked: {} lost, {} twice or out of order, {} that nobody published{BAD:#}",
        tally.lost, tally.repeated, tally.strange
    )
}

fn row_cells(row: &Row) -> [String; 4] {
    let spread = |spread: Option<Spread>| spread.map(|spread| cell(&spread)).unwrap_or_default();
    [row.label.to_owned(), cell(&row.measured), spread(row.limit), spread(row.ratio)]
}

/// The median, and the smallest and largest if there were several.
fn cell(spread: &Spread) -> String {
    let Spread { median, min, max } = spread;
    if min == max {
        return number(*median);
    }
    format!("{} ({}–{})", number(*median), number(*min), number(*max))
}

/// Three digits that mean something, and never fewer than the whole number has.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 3,
    };
    thousands(&format!("{value:.digits$}"))
}

/// Puts commas between the thousands of a number's whole part.
fn thousands(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let mut text = number[..whole.len() - digits.len()].to_owned();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::super::figures::Figures;
    use super::*;

    fn run(cost: f64, tally: Tally) -> Figures {
        let mut figures = Figures { tally, ..Figures::default() };
        figures.add("cost", "server CPU, s", Some(cost));
        figures.add("rate", "deliveries per second", Some(1_234_567.8));
        figures
    }

    fn plain(outcome: &Outcome) -> String {
        let frame = Frame { title: "fanout".to_owned(), machine: "2 cores".to_owned(), hint: Some("a hint") };
        anstream::adapter::strip_str(&render(&frame, outcome)).to_string()
    }

    #[test]
    fn figures_stand_in_columns_beside_their_limit() {
        let clean = Tally { delivered: 1000, ..Tally::default() };
        let runs = vec![run(1.0, clean), run(1.5, clean)];
        let outcome = Outcome { runs, limits: vec![run(1.0, clean), run(1.0, clean)], kind: Some(Limit::Quic) };
        let text = plain(&outcome);
        let wanted = "\
fanout
2 cores

                                     callboard   bare QUIC              ratio
  server CPU, s           1.25 (1.00–1.50)        1.00   1.25 (1.00–1.50)
  deliveries per second          1,234,568   1,234,568               1.00

  2,000 deliveries checked: each came once and in order
  a hint
";
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&text), squeeze(wanted), "{text}");
        let lines: Vec<&str> = text.lines().skip(3).take(3).collect();
        assert!(lines.windows(2).all(|pair| pair[0].chars().count() == pair[1].chars().count()), "{text}");
    }

    #[test]
    fn without_a_limit_there_is_one_column() {
        let text = plain(&Outcome { runs: vec![run(1.0, Tally::default())], limits: Vec::new(), kind: None });
        assert!(!text.contains("bare") && !text.contains("ratio"), "{text}");
    }

    #[test]
    fn what_went_wrong_is_told_in_numbers() {
        let tally = Tally { delivered: 7, lost: 1, repeated: 2, strange: 3 };
        let text = plain(&Outcome { runs: vec![run(1.0, tally)], limits: Vec::new(), kind: None });
        assert!(text.contains("1 lost, 2 twice or out of order, 3 that nobody published"), "{text}");
    }

    #[test]
    fn numbers_have_three_digits_that_mean_something() {
        for (value, text) in
            [(0.12345, "0.123"), (1.2345, "1.23"), (12.345, "12.3"), (123.45, "123"), (-1234.5, "-1,234")]
        {
            assert_eq!(number(value), text);
        }
        assert_eq!(thousands("1234567.5"), "1,234,567.5");
    }
}
