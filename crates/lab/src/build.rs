//! Makes cargo build the files as they are now. Cargo also says where the shop's program is, because cargo may have
//! been told to build into another folder than `target/`. Start with [`build`].

mod put_back;
pub mod sources;

use std::path::{Path, PathBuf};

use anyhow::Context;
use flash_sale_testbed::program_file::ProgramFile;
use serde::Deserialize;

use crate::console;
use crate::program;

/// The shop's program, by its name in Cargo.toml.
const SHOP: &str = "flash-sale-web";
/// The lab's program.
const LAB: &str = "lab";
/// The same arguments as in the Makefile, so that neither build undoes the other. The compiler's errors are printed for
/// people.
const ARGUMENTS: [&str; 4] = ["build", "--workspace", "--locked", "--message-format=json-render-diagnostics"];

/// The shop's program, built from the files as they are now.
#[derive(Clone, Debug)]
pub struct ShopBuild {
    /// Where it is.
    pub path: PathBuf,
    /// The file that is there.
    pub file: ProgramFile,
}

/// How much of a build is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// What cargo says of its progress, and what the compiler says.
    All,
    /// Only what the compiler says: cargo has just been run, and is run once more.
    Messages,
}

/// Builds what has changed. `None`: the shop doesn't compile, and the compiler has said why.
///
/// # Errors
/// When cargo can't be run, or builds no shop.
pub async fn build(show: Show) -> anyhow::Result<Option<ShopBuild>> {
    let quiet: &[&str] = if show == Show::Messages { &["--quiet"] } else { &[] };
    let Some(messages) = run_cargo(quiet).await? else { return Ok(None) };
    let path = find_executable(&messages, SHOP).with_context(|| format!("cargo has built no {SHOP}"))?;
    let file = ProgramFile::at(&path).with_context(|| format!("can't look at {}", path.display()))?;
    Ok(Some(ShopBuild { path, file }))
}

/// The programs of a release build: optimised, as they would be for real buyers.
#[derive(Clone, Debug)]
pub struct ReleaseBuild {
    /// The shop's program.
    pub shop: PathBuf,
    /// The lab's own program.
    pub lab: PathBuf,
}

/// Builds the shop and the lab for release. Cargo keeps such a build in a folder of its own, so that no other build is
/// lost. `None`: they don't compile, and the compiler has said why.
///
/// # Errors
/// When cargo can't be run, or doesn't build both.
pub async fn build_release() -> anyhow::Result<Option<ReleaseBuild>> {
    let Some(messages) = run_cargo(&["--release", "--bin", SHOP, "--bin", LAB]).await? else {
        return Ok(None);
    };
    let find = |name| {
        find_executable(&messages, name).with_context(|| format!("cargo has built no {name} for release"))
    };
    Ok(Some(ReleaseBuild { shop: find(SHOP)?, lab: find(LAB)? }))
}

/// Runs cargo build, and returns its messages. `None`: something doesn't compile.
async fn run_cargo(more: &[&str]) -> anyhow::Result<Option<String>> {
    for file in put_back::touch_sources(Path::new(".")) {
        console::error_line(format_args!(
            "{}: its time of change was wrong, as after a move. It is the present time now, so that cargo builds the \
             file",
            file.display()
        ));
    }
    let (is_built, messages) = program::output("cargo", &[&ARGUMENTS, more].concat()).await?;
    Ok(is_built.then_some(messages))
}

/// One of cargo's messages, as far as it is of interest.
#[derive(Deserialize)]
struct Message {
    target: Option<BuiltTarget>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct BuiltTarget {
    name: String,
}

/// Finds where the program of this name is, in cargo's messages: there is one message in each line.
fn find_executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let mut named =
        messages.filter(|message| message.target.as_ref().is_some_and(|target| target.name == name));
    named.find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_where_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"flash_sale_web"},"executable":null}
not a message
{"reason":"compiler-artifact","target":{"name":"migrate"},"executable":"/else where/debug/migrate"}
{"reason":"compiler-artifact","target":{"name":"flash-sale-web"},"executable":"/else where/debug/flash-sale-web"}
{"reason":"build-finished","success":true}"#;

        let found = find_executable(messages, SHOP);

        assert_eq!(found.as_deref(), Some(Path::new("/else where/debug/flash-sale-web")));
        assert_eq!(find_executable(messages, "lab"), None);
    }
}
