//! `lab guide-pictures`: makes the walkthrough's pictures anew, from a real click before the edit and one after it.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::console;
use crate::guide::copy::Copy;
use crate::guide::{Edit, GUIDE, drift};
use crate::signals::end_signal;

/// Where the pictures are.
const FOLDER: &str = "static/guide";
const CLICK: &str = "curl --silent --fail --request POST http://localhost:$PORT/reset && \
                     curl --silent --fail --request POST http://localhost:$PORT/buy";
/// In the walkthrough's text, A is the purchase of replica-1.
const AS_IN_THE_TEXT: &str = " A (replica-1) ";
/// A click has an even number of connections. One connection more, and the next click begins on the other replica.
const CHANGE_TURNS: &str = "curl --silent --fail http://localhost:$PORT/health";
const MOST_CLICKS: usize = 10;

/// Starts the shop in a copy of the project, clicks, makes the walkthrough's edit, and clicks again. Each click becomes
/// a picture, and its text is printed, so that the walkthrough can show the text of the same click.
///
/// # Errors
/// When the tree is not as shipped, the copy's shop doesn't start, or a picture can't be written.
pub async fn guide_pictures() -> anyhow::Result<()> {
    let guide = fs::read_to_string(GUIDE).with_context(|| format!("can't read {GUIDE}"))?;
    let edit = Edit::read(&guide).context(GUIDE)?;
    let problems = drift::before(Path::new("."), &edit)?;
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    let copy = Copy::of_this_project().await?;
    let made = tokio::select! {
        made = make(&copy, &edit) => made,
        told = end_signal() => {
            told?;
            bail!("stopped before the end")
        }
    };
    copy.remove().await?;
    made
}

async fn make(copy: &Copy, edit: &Edit) -> anyhow::Result<()> {
    run(copy, "WIRETAP=on DASHBOARD_PORT=0 make run").await?;
    picture(copy, "before").await?;
    edit.make(copy.folder()).context("the edit")?;
    run(copy, "make build").await?;
    picture(copy, "after").await
}

async fn picture(copy: &Copy, name: &str) -> anyhow::Result<()> {
    for _ in 0..MOST_CLICKS {
        run(copy, CLICK).await?;
        let text = run(copy, ".flash-sale/lab timeline").await?;
        if !text.contains(AS_IN_THE_TEXT) {
            run(copy, CHANGE_TURNS).await?;
            continue;
        }
        let path = Path::new(FOLDER).join(name).with_extension("svg");
        fs::create_dir_all(FOLDER).with_context(|| format!("can't make {FOLDER}"))?;
        fs::write(&path, run(copy, ".flash-sale/lab timeline --svg").await?)
            .with_context(|| format!("can't write {}", path.display()))?;
        console::line(format_args!("{}:\n\n{text}", path.display()));
        return Ok(());
    }
    bail!("none of {MOST_CLICKS} clicks began on replica-1")
}

async fn run(copy: &Copy, command: &str) -> anyhow::Result<String> {
    let done = copy.run(command).await?;
    ensure!(done.status.success(), "{command}: {}\n{}", done.status, done.output);
    Ok(done.output)
}
