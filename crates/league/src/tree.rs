//! The copies of the project in which the variants are built and run. The first one is built, and the others get its
//! programs. Then the commands of the lab find another cargo there, which builds nothing: nothing has changed, and cargo
//! would need a tenth of the processors to find that out again and again.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use flash_sale_lab::guide::copy::{own_target, sources};

use crate::catalogue::Variant;
use crate::exercise::{self, Exercise};
use crate::generate;
use crate::left_over::remove_left_over;
use crate::words::{RETRIES, WORDS, Words};

/// Copies what cargo has built, without incremental compilations, and without programs: their names have no dot.
/// Arguments: from, to.
const COPY_BUILDS: &str = r#"
mkdir -p "$2/deps"
cp -a "$1/.fingerprint" "$1/build" "$2"
find "$1/deps" -type f -name '*.*' -exec sh -c 'to=$1; shift; cp -a "$@" "$to"' sh "$2/deps" {} +
touch "$2/copied"
find "$2" -type f -exec touch -r "$2/copied" {} +
"#;
/// Copies the sources and the programs of a folder, without what a shop keeps there. What an earlier league has left there
/// is removed. Arguments: from, to.
const COPY_AGAIN: &str = r#"
mkdir -p "$2"
find "$2" -mindepth 1 -maxdepth 1 ! -name .flash-sale -exec rm -rf {} +
mkdir -p "$2/target/debug"
cd "$1"
find . -mindepth 1 -maxdepth 1 ! -name .flash-sale ! -name target -exec cp -R {} "$2" ';'
find target/debug -mindepth 1 -maxdepth 1 -type f -perm -u+x -exec cp -a {} "$2/target/debug" ';'
"#;
/// A cargo that builds nothing, and says where the shop's program is. Argument: the program.
const BUILT_CARGO: &str = r#"#!/bin/sh
echo '{"target":{"name":"flash-sale-web"},"executable":"%"}'
"#;

/// Where a copy has its own cargo, for PATH.
pub const CARGO_FOLDER: &str = "target/cargo";

/// The copies are built once and then run for long, so their programs are optimised a little. Cargo reads this file.
const CARGO_FILE: &str = ".cargo/config.toml";
const OPTIMISED: [&str; 7] = ["core", "repositories", "services", "web", "gateway", "explorer", "lab"];

/// The project that the league is made from, and where its copies stand.
#[derive(Clone)]
pub struct Tree {
    /// The project.
    pub root: PathBuf,
    /// Cargo's folder of the project.
    pub target: PathBuf,
}

impl Tree {
    /// The project in whose folder this program works.
    ///
    /// # Errors
    /// When this program is not where cargo has put it.
    pub fn of_this_project() -> anyhow::Result<Self> {
        let root = std::env::current_dir().context("the current folder is gone")?;
        Ok(Self { root, target: own_target()? })
    }

    /// Makes the first copy, puts the variants into it, and builds it.
    ///
    /// # Errors
    /// When the exercise is not the shipped one, something can't be copied, or the copy doesn't compile.
    pub fn build(&self, variants: &[Variant]) -> anyhow::Result<PathBuf> {
        let path = self.root.join(exercise::FILE);
        let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        let exercise = Exercise::cut(&text)?;
        let words = Words::of(&exercise, WORDS, RETRIES)?;
        let generated = [
            (exercise::FILE, generate::exercise_file(&exercise)),
            (generate::MODULE, generate::module(&words, variants)?),
            (generate::QUERIES, generate::QUERIES_CODE.to_owned()),
            (CARGO_FILE, cargo_file()),
        ];
        let copy = self.folder(1);
        fs::create_dir_all(&copy).with_context(|| format!("can't make {}", copy.display()))?;
        let mut names: BTreeSet<PathBuf> = self.copy_sources(&copy)?.into_iter().map(PathBuf::from).collect();
        names.extend(generated.iter().map(|(name, _)| PathBuf::from(name)));
        remove_left_over(&copy, &names)?;
        let (from, to) = (self.target.join("debug"), copy.join("target/debug"));
        if !to.is_dir() {
            shell(COPY_BUILDS, &from, &to).context("can't copy the builds")?;
        }
        for (name, code) in generated {
            write_if_changed(&copy.join(name), code.as_bytes())?;
        }
        run_cargo(&copy)?;
        write_built_cargo(&copy)?;
        Ok(copy)
    }

    /// Makes another copy of the first one.
    ///
    /// # Errors
    /// When something can't be copied.
    pub fn copy_again(&self, number: usize) -> anyhow::Result<PathBuf> {
        let copy = self.folder(number);
        shell(COPY_AGAIN, &self.folder(1), &copy).context("can't copy what was built")?;
        write_built_cargo(&copy)?;
        Ok(copy)
    }

    /// Removes the copies that [`Tree::copy_again`] has made. The first one stays, so that the next league builds little.
    ///
    /// # Errors
    /// When a folder can't be removed.
    pub fn remove_copies(&self, lanes: usize) -> anyhow::Result<()> {
        for number in 2..=lanes {
            let copy = self.folder(number);
            fs::remove_dir_all(&copy).with_context(|| format!("can't remove {}", copy.display()))?;
        }
        Ok(())
    }

    fn folder(&self, number: usize) -> PathBuf {
        self.target.join("league").join(number.to_string())
    }

    /// Copies the files that git knows, or would add. A file that is the same already keeps its time: so cargo builds only
    /// what has changed. Returns their names.
    fn copy_sources(&self, copy: &Path) -> anyhow::Result<Vec<String>> {
        let names = sources(&self.root)?;
        for name in names.iter().filter(|name| *name != exercise::FILE) {
            let from = self.root.join(name);
            let copied = || format!("can't copy {name}");
            let bytes = fs::read(&from).with_context(copied)?;
            let to = copy.join(name);
            // A file whose permissions are set again later looks to the lab as if it had been put back, and is built.
            if write_if_changed(&to, &bytes).with_context(copied)? {
                let permissions = fs::metadata(&from).with_context(copied)?.permissions();
                fs::set_permissions(&to, permissions).with_context(copied)?;
            }
        }
        Ok(names)
    }
}

fn cargo_file() -> String {
    let optimise = |name| format!("[profile.dev.package.flash-sale-{name}]\nopt-level = 1\n");
    OPTIMISED.map(optimise).concat()
}

/// Returns whether the file was written.
fn write_if_changed(path: &Path, bytes: &[u8]) -> anyhow::Result<bool> {
    if fs::read(path).is_ok_and(|known| known == bytes) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("can't write {}", path.display()))?;
    Ok(true)
}

fn run_cargo(copy: &Path) -> anyhow::Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--workspace", "--locked", "--quiet"]).current_dir(copy);
    let built = cargo.env("CARGO_TARGET_DIR", copy.join("target")).status().context("can't run cargo")?;
    ensure!(
        built.success(),
        "the variants don't compile. See the compiler's messages above, and {}",
        copy.join(generate::MODULE).display()
    );
    Ok(())
}

fn write_built_cargo(copy: &Path) -> anyhow::Result<()> {
    let (folder, shop) = (copy.join(CARGO_FOLDER), copy.join("target/debug/flash-sale-web"));
    let cargo = folder.join("cargo");
    fs::create_dir_all(&folder)?;
    fs::write(&cargo, BUILT_CARGO.replace('%', &shop.to_string_lossy()))?;
    fs::set_permissions(&cargo, Permissions::from_mode(0o755))?;
    Ok(())
}

fn shell(script: &str, from: &Path, to: &Path) -> anyhow::Result<()> {
    let output = Command::new("sh").args(["-ec", script, "sh"]).args([from, to]).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
