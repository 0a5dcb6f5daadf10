//! Finds out which of the project's files were saved. An editor may write a file in several steps, or put a new file
//! in place of the old one. So all that happens within a moment counts as one save.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::timeout;

use crate::build::sources::{WATCHED, is_source};

/// A save is over when nothing has happened for this time. Editors take a few milliseconds.
const QUIET: Duration = Duration::from_millis(60);

/// Files that were saved together.
#[derive(Clone, Debug)]
pub struct Save {
    /// The paths of the files, from the project's folder. Empty when the system lost count of the files.
    pub files: BTreeSet<PathBuf>,
    /// When the first of these changes was heard of.
    pub at: Instant,
}

/// Hears of changes, from the moment when it is made.
pub struct Changes {
    events: UnboundedReceiver<PathBuf>,
    /// A save that was heard of, and that is perhaps not over yet.
    unfinished: Option<Save>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    /// Watches the project's folder `root`.
    ///
    /// # Errors
    /// When the system doesn't allow it.
    pub fn watch(root: &Path) -> anyhow::Result<Self> {
        let root = root.canonicalize().context("the project's folder is gone")?;
        let (sender, events) = mpsc::unbounded_channel();
        let hear = {
            let root = root.clone();
            move |event| tell(&root, &sender, event)
        };
        let mut watcher = notify::recommended_watcher(hear).context("can't watch files")?;
        let mut watch = |path: &Path, mode| {
            watcher.watch(path, mode).with_context(|| format!("can't watch {}", path.display()))
        };
        // Watch the folder for its own files, and not each file: a file that is replaced is a new file, and a watch
        // on the old one would lose it.
        watch(&root, RecursiveMode::NonRecursive)?;
        for folder in WATCHED.map(|name| root.join(name)).iter().filter(|path| path.is_dir()) {
            watch(folder, RecursiveMode::Recursive)?;
        }
        Ok(Self { events, unfinished: None, _watcher: watcher })
    }

    /// Waits for the next save and its end. Nothing is lost when this future is dropped.
    pub async fn next(&mut self) -> Save {
        loop {
            let event = match self.unfinished {
                Some(_) => timeout(QUIET, self.events.recv()).await,
                None => Ok(self.events.recv().await),
            };
            match event {
                Ok(Some(path)) => self.add(path),
                // This means that the watcher has ended. It doesn't end while we have it.
                Ok(None) => std::future::pending().await,
                Err(_) => {
                    if let Some(save) = self.unfinished.take() {
                        return save;
                    }
                }
            }
        }
    }

    /// Waits until [`Changes::next`] has something to return.
    pub async fn wait(&mut self) {
        let save = self.next().await;
        self.unfinished = Some(save);
    }

    /// Whether something was saved that [`Changes::next`] has not returned yet.
    pub fn has_next(&mut self) -> bool {
        while let Ok(path) = self.events.try_recv() {
            self.add(path);
        }
        self.unfinished.is_some()
    }

    fn add(&mut self, path: PathBuf) {
        let save = self.unfinished.get_or_insert_with(|| Save { files: BTreeSet::new(), at: Instant::now() });
        if !path.as_os_str().is_empty() {
            save.files.insert(path);
        }
    }
}

/// Hands on the changes that may change a build. Hands on an empty path when the system says that it lost some
/// events.
fn tell(root: &Path, changes: &UnboundedSender<PathBuf>, event: notify::Result<notify::Event>) {
    let event = match event {
        Ok(event) => event,
        Err(error) => return log::warn!("watching files: {error}"),
    };
    if event.need_rescan() {
        let _ = changes.send(PathBuf::new());
    }
    // The compiler opens and closes files, too.
    if matches!(event.kind, EventKind::Access(_)) {
        return;
    }
    for path in event.paths {
        if let Ok(path) = path.strip_prefix(root)
            && is_source(path)
        {
            // This fails when nobody listens any more: the watch ends then.
            let _ = changes.send(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[tokio::test]
    async fn each_way_of_saving_is_one_save() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("crates/shop/src");
        fs::create_dir_all(&source).unwrap();
        fs::write(folder.path().join("Cargo.toml"), "").unwrap();
        let file = source.join("main.rs");
        fs::write(&file, "0").unwrap();
        let mut changes = Changes::watch(folder.path()).unwrap();

        let write = || fs::write(&file, "1").unwrap();
        let write_in_steps = || {
            fs::write(&file, "").unwrap();
            fs::write(&file, "2").unwrap();
        };
        let rename_over = || {
            fs::write(source.join(".main.rs.new"), "3").unwrap();
            fs::rename(source.join(".main.rs.new"), &file).unwrap();
        };
        let keep_a_backup = || {
            fs::write(source.join("4913"), "").unwrap();
            fs::remove_file(source.join("4913")).unwrap();
            fs::rename(&file, source.join("main.rs~")).unwrap();
            fs::write(&file, "4").unwrap();
            fs::remove_file(source.join("main.rs~")).unwrap();
        };
        for save in [&write as &dyn Fn(), &write_in_steps, &rename_over, &keep_a_backup] {
            save();
            let saved = timeout(Duration::from_secs(10), changes.next()).await.unwrap();
            assert_eq!(saved.files, BTreeSet::from([PathBuf::from("crates/shop/src/main.rs")]));
            assert!(timeout(QUIET * 3, changes.next()).await.is_err(), "only one");
        }

        // The compiler reads files, too.
        fs::read(&file).unwrap();
        assert!(timeout(QUIET * 3, changes.next()).await.is_err(), "nothing was saved");
    }

    #[tokio::test]
    async fn a_save_is_not_forgotten_when_nobody_listens() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        let mut changes = Changes::watch(folder.path()).unwrap();
        assert!(!changes.has_next());

        fs::write(folder.path().join("README.md"), "").unwrap();
        fs::write(manifest, "").unwrap();

        // The future is dropped again and again before the save is over.
        while !changes.has_next() {
            assert!(timeout(Duration::from_millis(1), changes.next()).await.is_err());
        }
        assert_eq!(changes.next().await.files, BTreeSet::from([PathBuf::from("Cargo.toml")]));
    }
}
