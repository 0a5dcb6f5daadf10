//! The last report of a benchmark, in a file. The dashboard shows it.

use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::Context;
use flash_sale_dashboard::BenchReports;
use flash_sale_testbed::own_files;
use futures::FutureExt;
use futures::future::BoxFuture;
use tempfile::NamedTempFile;

use super::report::BenchReport;
use crate::project::{BENCH, BENCH_REPORT};

/// In bytes. A report has about 700 for each row.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Keeps the report in the place of the last one. A reader finds the one or the other, and each is whole.
///
/// # Errors
/// When the file can't be written.
pub fn keep(report: &BenchReport) -> anyhow::Result<()> {
    let write = || {
        let mut file = NamedTempFile::new_in(BENCH)?;
        file.write_all(&serde_json::to_vec_pretty(report)?)?;
        file.as_file().sync_all()?;
        file.persist(BENCH_REPORT)?;
        io::Result::Ok(())
    };
    write().with_context(|| format!("can't write {BENCH_REPORT}"))
}

/// The file, for the dashboard.
pub struct KeptReport;

impl BenchReports for KeptReport {
    fn last(&self) -> BoxFuture<'_, Result<Option<String>, String>> {
        async {
            let read = tokio::task::spawn_blocking(read).await.map_err(io::Error::from).flatten();
            read.map_err(|error| format!("can't read {BENCH_REPORT}: {error}"))
        }
        .boxed()
    }
}

/// `None` when no benchmark has ended yet.
fn read() -> io::Result<Option<String>> {
    let file = match own_files::open_to_read(Path::new(BENCH_REPORT)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut text = String::new();
    file.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other("it is too large for a report"));
    }
    Ok(Some(text))
}
