//! The charts of a benchmark, as files in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use flash_sale_dashboard::bench_charts::{BenchChart, ChartPlace, draw};
use flash_sale_dashboard::measured::MeasuredStrategies;

use super::report::BenchReport;

/// Makes the folder, if there is none.
///
/// # Errors
/// When no file can be written there.
pub fn make_folder(folder: &Path) -> anyhow::Result<()> {
    let make = || {
        fs::create_dir_all(folder)?;
        tempfile::tempfile_in(folder)
    };
    make().map(drop).with_context(|| format!("can't write to {}", folder.display()))
}

/// The charts, each with its style.
///
/// # Errors
/// When one can't be drawn.
pub fn drawn(report: &BenchReport) -> anyhow::Result<Vec<BenchChart>> {
    // As the dashboard reads it.
    let text = serde_json::to_string(report)?;
    let measured =
        MeasuredStrategies::read(&text).map_err(|reason| anyhow!("can't draw charts: {reason}"))?;
    Ok(draw(&measured, ChartPlace::File)?)
}

/// Writes the charts. Other files of the folder stay.
///
/// # Errors
/// When one can't be written.
pub fn write(folder: &Path, charts: &[BenchChart]) -> anyhow::Result<()> {
    for chart in charts {
        let path = path_of(folder, chart);
        fs::write(&path, &chart.svg).with_context(|| format!("can't write {}", path.display()))?;
    }
    Ok(())
}

/// The file of a chart.
pub fn path_of(folder: &Path, chart: &BenchChart) -> PathBuf {
    folder.join(&chart.name).with_extension("svg")
}
