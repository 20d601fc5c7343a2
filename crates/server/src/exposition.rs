//! Metrics as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0 for those who ask for it.
//!
//! `traffic`, `deployment` and `process` write the families, from values; the names follow OpenTelemetry where it has one, and
//! Prometheus's conventions. Asks nobody and knows no sockets. Tested in place, by a strict reader of both formats.

mod deployment;
mod process;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod strict;
mod traffic;

use std::fmt::{self, Display, Write};

use tandem_core::traffic::metrics::{BOUNDARIES, Histogram, Metrics};

pub(crate) use process::Figures;

use crate::message::{DeploymentRecord, Status};

/// A text format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus's own.
    Text,
    /// OpenMetrics.
    OpenMetrics,
}

impl Format {
    /// What the reader takes, as the `Accept` of a request says it.
    pub(crate) fn accepted(accept: Option<&str>) -> Format {
        // Prometheus names it first if it can read it; whoever names it at all can.
        match accept
            .is_some_and(|accept| accept.to_ascii_lowercase().contains("application/openmetrics-text"))
        {
            true => Format::OpenMetrics,
            false => Format::Text,
        }
    }

    /// The `Content-Type` of the answer.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Everything that is told.
pub(crate) struct Scene<'a> {
    /// How the service stands.
    pub(crate) status: &'a Status,
    /// The deployment that was over last.
    pub(crate) last: Option<&'a DeploymentRecord>,
    /// What the proxy measured. None: it does not answer.
    pub(crate) metrics: Option<&'a Metrics>,
    /// The processes of Tandem by their verbs, as far as they could be looked at.
    pub(crate) processes: &'a [(&'static str, Figures)],
}

impl Scene<'_> {
    /// All of it as text.
    pub(crate) fn text(&self, format: Format) -> String {
        let mut page = Page { format, text: String::new() };
        page.gauge("tandem_build_info", "The version of Tandem, as a label.")
            .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        deployment::write(self.status, self.last, &mut page);
        traffic::write(self.metrics, &mut page);
        process::write(self.processes, &mut page);
        if format == Format::OpenMetrics {
            page.text.push_str("# EOF\n");
        }
        page.text
    }
}

/// A text under construction.
struct Page {
    format: Format,
    text: String,
}

/// One family of a page: its samples follow each other.
struct Family<'p> {
    name: &'static str,
    suffix: &'static str,
    text: &'p mut String,
}

/// Label names with their values.
type Labels<'l> = [(&'static str, &'l str)];

impl Page {
    /// A family of sums that only grow. The name ends in `_total`.
    fn counter(&mut self, name: &'static str, about: &str) -> Family<'_> {
        let bare = name.trim_end_matches("_total");
        match self.format {
            Format::Text => self.family(name, "", "counter", about),
            Format::OpenMetrics => self.family(bare, "_total", "counter", about),
        }
    }

    /// A family of values that go up and down.
    fn gauge(&mut self, name: &'static str, about: &str) -> Family<'_> {
        self.family(name, "", "gauge", about)
    }

    /// A family of lengths of time. The name ends in `_seconds`.
    fn histogram(&mut self, name: &'static str, about: &str) -> Family<'_> {
        self.family(name, "", "histogram", about)
    }

    fn family(&mut self, name: &'static str, suffix: &'static str, kind: &str, about: &str) -> Family<'_> {
        put(&mut self.text, format_args!("# HELP {name} {about}\n# TYPE {name} {kind}\n"));
        Family { name, suffix, text: &mut self.text }
    }
}

impl Family<'_> {
    /// One value.
    fn sample(&mut self, labels: &Labels<'_>, value: impl Display) {
        self.line(self.suffix, labels, None, value);
    }

    /// One histogram, its buckets summed up from below.
    fn lengths(&mut self, labels: &Labels<'_>, lengths: &Histogram) {
        let mut below = 0;
        let ends = BOUNDARIES.iter().map(|end| Seconds(*end).to_string());
        let ends = ends.chain(std::iter::once("+Inf".to_owned()));
        let counts = lengths.buckets.iter().copied().chain(std::iter::repeat(0));
        for (end, count) in ends.zip(counts) {
            below += count;
            self.line("_bucket", labels, Some(&end), below);
        }
        self.line("_sum", labels, None, Seconds(lengths.micros));
        self.line("_count", labels, None, below);
    }

    fn line(&mut self, suffix: &str, labels: &Labels<'_>, end: Option<&str>, value: impl Display) {
        put(self.text, format_args!("{}{suffix}", self.name));
        let mut mark = '{';
        for (name, label) in labels.iter().copied().chain(end.map(|end| ("le", end))) {
            put(self.text, format_args!("{mark}{name}=\"{}\"", Escaped(label)));
            mark = ',';
        }
        put(self.text, format_args!("{} {value}\n", if mark == ',' { "}" } else { "" }));
    }
}

/// Writing to a text can't fail.
fn put(text: &mut String, what: fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}

/// The value of a label as it stands between quotes.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c => f.write_char(c),
        })
    }
}

/// Microseconds, as seconds with a fraction.
struct Seconds(u64);

impl Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let fraction = format!("{rest:06}");
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole}.0"),
            digits => write!(f, "{whole}.{digits}"),
        }
    }
}

#[cfg(test)]
mod tests;
